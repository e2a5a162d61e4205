import type { CommandModule } from "yargs";
import { reconstructImage } from "../runs/reconstruction";
import { type ComputeArgs, chooseDevice, computeOptions } from "./options";
import { log, printJson, progress } from "./output";

interface Args extends ComputeArgs {
  checkpoint: string;
  image: string;
  out: string;
  ratio?: number | undefined;
  seed?: number | undefined;
}

export const reconstruct: CommandModule<object, Args> = {
  command: "reconstruct",
  describe: "Mask an image and let a checkpoint fill it in: a picture and NIfTI volumes",
  builder: (yargs) =>
    computeOptions(yargs)
      .option("checkpoint", {
        type: "string",
        demandOption: true,
        describe: "Checkpoint folder, or a run folder",
      })
      .option("image", { type: "string", demandOption: true, describe: "NIfTI image" })
      .option("out", { type: "string", demandOption: true, describe: "Folder for the results" })
      .option("ratio", { type: "number", describe: "Masked share of blocks (default: the plan's)" })
      .option("seed", { type: "number", describe: "Of the mask (default: the plan's)" }) as never,
  handler: async (args) => {
    const device = chooseDevice(args);
    const steps = reconstructImage({ ...args, device });
    let bar: ReturnType<typeof progress> | undefined;
    for (;;) {
      const next = await steps.next();
      if (!next.done) {
        bar ??= progress("reconstruct", next.value.total);
        bar.update(next.value.done);
        continue;
      }
      bar?.stop();
      const { picture, nifti, maskedMse, baselineMse } = next.value;
      log(`masked MSE ${maskedMse.toFixed(4)}, mean prediction ${baselineMse.toFixed(4)}`);
      log(`wrote ${picture} and ${nifti}`);
      if (args.json) printJson(next.value);
      return;
    }
  },
};
