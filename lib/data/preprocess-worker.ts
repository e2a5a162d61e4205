/** Thread of `preprocess`: one image at a time. */
import { setThreads } from "../tensor";
import { preprocessCase } from "./preprocess-case";
import type { PreprocessOptions } from "./preprocess-image";
import type { ImageCase } from "./sources";
import { serveTasks } from "./worker-pool";

serveTasks<{ folder: string; options: PreprocessOptions }, ImageCase>("preprocess", ({ folder, options }) => {
  setThreads(1); // images are the unit of parallelism
  return (image) => preprocessCase(folder, image, options);
});
