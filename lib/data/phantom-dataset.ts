/** Synthetic heads as a labelled data set in nnU-Net's raw layout. */
import { join } from "node:path";
import { ArgumentRangeError } from "../errors";
import { writeFileAtomic } from "../files";
import { PHANTOM_LABELS, type PhantomOptions, phantom, writeHead } from "./phantoms";

export interface PhantomDatasetOptions extends PhantomOptions {
  /** Index of the first head: heads below it can be kept for pre-training. Default 0. */
  first?: number;
  /** The first so many heads train, the others validate: one split in splits_final.json. Default: none is written. */
  training?: number;
}

/**
 * Writes `count` heads below `folder`, one a step: `imagesTr/head_000_0000.nii.gz`, `labelsTr/head_000.nii.gz`,
 * `dataset.json` and, where `training` is given, `splits_final.json`.
 */
export async function* writePhantomDataset(
  folder: string,
  count: number,
  { first = 0, training, ...options }: PhantomDatasetOptions = {},
): AsyncGenerator<{ done: number; total: number; case: string }> {
  if (training !== undefined && !(training >= 1 && training < count))
    throw new ArgumentRangeError(
      `training is ${training}, allowed are 1 to ${count - 1}, so that a head is left to validate.`,
    );
  const cases = Array.from({ length: count }, (_, i) => `head_${String(first + i).padStart(3, "0")}`);
  for (const [i, name] of cases.entries()) {
    await writeHead(phantom(first + i, options), {
      image: join(folder, "imagesTr", `${name}_0000.nii.gz`),
      labels: join(folder, "labelsTr", `${name}.nii.gz`),
    });
    yield { done: i + 1, total: count, case: name };
  }
  const json = (name: string, value: unknown) =>
    writeFileAtomic(join(folder, name), `${JSON.stringify(value, null, 2)}\n`);
  if (training !== undefined)
    await json("splits_final.json", [{ train: cases.slice(0, training), val: cases.slice(training) }]);
  await json("dataset.json", {
    name: "Phantoms",
    description: "synthetic heads",
    channel_names: { "0": "T1" },
    labels: PHANTOM_LABELS,
    numTraining: count,
    file_ending: ".nii.gz",
  });
}
