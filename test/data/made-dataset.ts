/** Small labelled data sets in nnU-Net's raw layout, for tests. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { writeNifti } from "../../lib/data/nifti-writer";
import { type Random, rng } from "../../lib/random";

export type Triple = [number, number, number];

export interface MadeCase {
  id: string;
  shape: Triple;
  /** One a channel. */
  images: Float32Array[];
  label: Float32Array;
}

export const LABELS = { background: 0, left: 1, right: 2 };

/** Channel c of a voxel with label l is 10 + 5 l + c, zero on the rim; labels are two balls of random places. */
export function drawCase(id: string, random: Random, channels = 1, shape?: Triple): MadeCase {
  const size = shape ?? ([0, 1, 2].map(() => 18 + random.int(14)) as Triple);
  const [depth, height, width] = size;
  const centres = [1, 2].map(() => size.map((n) => 5 + random.int(n - 10)));
  const label = new Float32Array(depth * height * width);
  const images = Array.from({ length: channels }, () => new Float32Array(label.length));
  for (let i = 0; i < label.length; i++) {
    const at = [Math.floor(i / (height * width)), Math.floor(i / width) % height, i % width];
    const rim = at.some((v, a) => v === 0 || v === size[a]! - 1);
    for (const [b, centre] of centres.entries())
      if (!rim && Math.hypot(...at.map((v, a) => v - centre[a]!)) < 3.5) label[i] = b + 1;
    for (const [c, image] of images.entries()) image[i] = rim ? 0 : 10 + 5 * label[i]! + c;
  }
  return { id, shape: size, images, label };
}

export const AFFINE = [-1, 0, 0, 30, 0, 1, 0, -20, 0, 0, 1.5, 7, 0, 0, 0, 1];

/** The files of one case; `affine` places its label map, and its images too unless told. */
export async function writeCaseFiles(
  folder: string,
  made: MadeCase,
  affine = AFFINE,
  imageAffine = affine,
): Promise<void> {
  const { id, shape, images, label } = made;
  for (const [c, data] of images.entries())
    await writeNifti(join(folder, "imagesTr", `${id}_${String(c).padStart(4, "0")}.nii.gz`), {
      data,
      shape,
      affine: imageAffine,
    });
  await writeNifti(join(folder, "labelsTr", `${id}.nii.gz`), { data: label, shape, affine, type: "float32" });
}

export function writeDatasetJson(folder: string, fields: object): void {
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, "dataset.json"), JSON.stringify(fields));
}

/** A data set of random cases `c00`, `c01`, …; returns them. */
export async function makeDataset(
  folder: string,
  count: number,
  channels = 1,
  seed = Date.now(),
): Promise<MadeCase[]> {
  const cases: MadeCase[] = [];
  for (let i = 0; i < count; i++) {
    cases.push(drawCase(`c${String(i).padStart(2, "0")}`, rng(seed, 0, "test", i), channels));
    await writeCaseFiles(folder, cases[i]!);
  }
  const names = Object.fromEntries(Array.from({ length: channels }, (_, c) => [c, `MR${c}`]));
  writeDatasetJson(folder, {
    channel_names: names,
    labels: LABELS,
    numTraining: count,
    file_ending: ".nii.gz",
  });
  return cases;
}
