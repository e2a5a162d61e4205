import type { CommandModule } from "yargs";
import { writeReport } from "../runs/report";
import { type ComputeArgs, chooseDevice, computeOptions } from "./options";
import { log, printJson, UsageError, underBar } from "./output";

interface Args extends ComputeArgs {
  run: string;
  out?: string | undefined;
  data?: string | undefined;
  cases?: number | undefined;
}

export const report: CommandModule<object, Args> = {
  command: "report <run>",
  describe: "Write one self-contained HTML page about a run: curves, Dice, pictures",
  builder: (yargs) =>
    computeOptions(yargs)
      .positional("run", { type: "string", demandOption: true, describe: "Folder of a run" })
      .option("out", { type: "string", describe: "Page to write (default: report.html in the run folder)" })
      .option("data", {
        type: "string",
        describe: "Images or case folder for pictures, if the run keeps none",
      })
      .option("cases", { type: "number", describe: "Most cases with pictures; 0 for none" }) as never,
  handler: async (args) => {
    if (args.cases !== undefined && !(Number.isInteger(args.cases) && args.cases >= 0))
      throw new UsageError(`--cases is ${args.cases}, allowed are whole numbers from 0`);
    const device = chooseDevice(args);
    const result = await underBar("pictures", writeReport({ ...args, device }), ({ note }) => note);
    for (const text of result.missing) log(`note: ${text}`);
    log(`wrote ${result.file}`);
    if (args.json) printJson(result);
  },
};
