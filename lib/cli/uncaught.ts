/** Imported first, so that an addon that cannot be loaded is a sentence, too: what no one catches ends here. */
import { tell } from "./output";

process.on("uncaughtException", (error) => {
  process.exit(tell(error)); // with a listener Node would go on
});
