/** Synthetic heads as a labelled data set in nnU-Net's raw layout. */
import { join } from "node:path";
import { ArgumentRangeError } from "../errors";
import { writeJsonAtomic } from "../files";
import { PHANTOM_LABELS, type PhantomOptions, phantom, writeHead } from "./phantoms";

export type PhantomLabel = Exclude<keyof typeof PHANTOM_LABELS, "background">;

const NAMES = Object.keys(PHANTOM_LABELS).filter((name) => name !== "background") as PhantomLabel[];

export interface PhantomDatasetOptions extends PhantomOptions {
  /** Index of the first head: heads below it can be kept for pre-training. Default 0. */
  first?: number;
  /** The first so many heads train, the others validate: one split in splits_final.json. Default: none is written. */
  training?: number;
  /** Labels to keep, in the order of their values from 1 on; all else becomes background. Default: all. */
  keep?: readonly PhantomLabel[];
}

/**
 * Writes `count` heads below `folder`, one a step: `imagesTr/head_000_0000.nii.gz`, `labelsTr/head_000.nii.gz`,
 * `dataset.json` and, where `training` is given, `splits_final.json`.
 */
export async function* writePhantomDataset(
  folder: string,
  count: number,
  { first = 0, training, keep = NAMES, ...options }: PhantomDatasetOptions = {},
): AsyncGenerator<{ done: number; total: number; case: string }> {
  if (training !== undefined && !(training >= 1 && training < count))
    throw new ArgumentRangeError(
      `training is ${training}, allowed are 1 to ${count - 1}, so that a head is left to validate.`,
    );
  const values = labelValues(keep);
  const cases = Array.from({ length: count }, (_, i) => `head_${String(first + i).padStart(3, "0")}`);
  for (const [i, name] of cases.entries()) {
    const head = phantom(first + i, options);
    await writeHead(
      { ...head, labels: head.labels.map((v) => values[v]!) },
      {
        image: join(folder, "imagesTr", `${name}_0000.nii.gz`),
        labels: join(folder, "labelsTr", `${name}.nii.gz`),
      },
    );
    yield { done: i + 1, total: count, case: name };
  }
  const json = (name: string, value: unknown) => writeJsonAtomic(join(folder, name), value);
  if (training !== undefined)
    await json("splits_final.json", [{ train: cases.slice(0, training), val: cases.slice(training) }]);
  await json("dataset.json", {
    name: "Phantoms",
    description: "synthetic heads",
    channel_names: { "0": "T1" },
    labels: Object.fromEntries(["background", ...keep].map((name, i) => [name, i])),
    numTraining: count,
    file_ending: ".nii.gz",
  });
}

/** New value of each value of a phantom. */
function labelValues(keep: readonly PhantomLabel[]): Uint8Array {
  const wrong = keep.filter((name, i) => !NAMES.includes(name) || keep.indexOf(name) !== i);
  if (wrong.length > 0 || keep.length === 0)
    throw new ArgumentRangeError(
      `keep is [${keep.join(", ")}], allowed are different ones of ${NAMES.join(", ")}.`,
    );
  const values = new Uint8Array(NAMES.length + 1);
  for (const [i, name] of keep.entries()) values[PHANTOM_LABELS[name]] = i + 1;
  return values;
}
