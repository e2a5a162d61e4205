import type { CommandModule } from "yargs";
import { reconstructImage } from "../runs/reconstruction";
import {
  type ComputeArgs,
  chooseDevice,
  computeOptions,
  geometryOption,
  nonFiniteOption,
  type ReadingArgs,
} from "./options";
import { log, printJson, underBar } from "./output";

interface Args extends ComputeArgs, ReadingArgs {
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
      .option("non-finite", nonFiniteOption)
      .option("geometry", geometryOption)
      .option("ratio", { type: "number", describe: "Masked share of blocks (default: the plan's)" })
      .option("seed", { type: "number", describe: "Of the mask (default: the plan's)" }) as never,
  handler: async (args) => {
    const device = chooseDevice(args);
    const result = await underBar("reconstruct", reconstructImage({ ...args, device }));
    const { picture, nifti, maskedMse, baselineMse } = result;
    log(`masked MSE ${maskedMse.toFixed(4)}, mean prediction ${baselineMse.toFixed(4)}`);
    log(`wrote ${picture} and ${nifti}`);
    if (args.json) printJson(result);
  },
};
