/**
 * Labelled patches as pure functions of (seed, step, index). The last samples of a batch are centred on a random voxel of
 * a random class or region of their case, so that rare ones are seen (method.md §7.5).
 */
import { DataError } from "../errors";
import { type Random, rng } from "../random";
import type { Triple } from "../triple";
import type { StoredCase } from "./case-store";
import type { Vector3 } from "./geometry";
import { ANNOTATED } from "./label-map";
import { boxLimits, type CaseSet, placeBox, readPadded } from "./patches";
import { roundHalfEven } from "./preprocess-steps";
import { SampleFailure } from "./samples";
import {
  augmentDrawn,
  augmentedReadSize,
  drawSegmentation,
  type LabelledPatch,
  neededPart,
  type SegmentationAugmentation,
} from "./segmentation-augment";

/** What labelled samples are made of; plain data, so that it can be sent to a worker. */
export interface LabelledSampleOptions {
  /** Folder of preprocessed cases with their label maps. */
  readonly folder: string;
  /** Ids of the cases to draw from. Their order counts. */
  readonly cases: readonly string[];
  /** Voxels of a patch (z, y, x). */
  readonly patch: Triple;
  /** Samples of a batch: which ones are centred on foreground depends on it. */
  readonly batch: number;
  readonly seed: number;
  /** Image channels that every case must have. */
  readonly channels: number;
  /** Share of a batch that is centred on foreground; nnU-Net's is 0.33. */
  readonly foreground: number;
  readonly augmentation: SegmentationAugmentation;
}

export interface LabelledSample {
  readonly case: string;
  readonly image: Float32Array; // (C, D, H, W); 0 outside of the case
  readonly label: Float32Array; // (D, H, W); -1 outside of the case, which upstream counts as background
}

const OUTSIDE = -1;

/** Whether sample `index` of a batch is centred on foreground: the last ones are, nnU-Net's rounding. */
export function isForeground(
  index: number,
  { batch, foreground }: { batch: number; foreground: number },
): boolean {
  return index >= roundHalfEven(batch * (1 - foreground));
}

function requireLabelled({ shape, properties }: StoredCase, channels: number): void {
  const { id, label } = properties;
  const found = shape[0] - (label ? 1 : 0);
  if (!label)
    throw new DataError("ERR_VOXELSPARK_DATA", `Case ${id} has no label map; it cannot be trained on.`);
  if (found !== channels)
    throw new DataError("ERR_VOXELSPARK_DATA", `Case ${id} has ${found} channels, ${channels} are expected.`);
}

/** Which set of locations a patch is centred on; -1 for none. Sets without a voxel do not count. */
function drawSet(stored: StoredCase, forced: boolean, random: Random): number {
  const table = stored.properties.label!.foreground;
  const annotated = table.findIndex(({ name, kept }) => name === ANNOTATED && kept > 0);
  if (!forced) return annotated; // with an ignore label, no patch shall hold nothing else
  const present = table.flatMap(({ name, kept }, i) => (name !== ANNOTATED && kept > 0 ? [i] : []));
  return present.length > 0 ? present[random.int(present.length)]! : annotated;
}

/**
 * First voxel of the box to read: around a voxel of the foreground where that is forced and the case has any, else
 * anywhere. Unlike upstream, the box is held back at the upper edges of the case as it is at the lower ones.
 */
async function place(
  stored: StoredCase,
  box: Triple,
  patch: Triple,
  forced: boolean,
  random: Random,
): Promise<Vector3> {
  const shape = stored.shape.slice(1) as unknown as Triple;
  const set = drawSet(stored, forced, random);
  if (set < 0) return placeBox(shape, box, patch, random);
  const table = stored.properties.label!.foreground;
  const first = table.slice(0, set).reduce((sum, { kept }) => sum + kept, 0);
  const locations = await stored.locations();
  const voxel = locations[first + random.int(table[set]!.kept)]!;
  const [, height, width] = shape;
  const centre = [Math.floor(voxel / (height * width)), Math.floor(voxel / width) % height, voxel % width];
  return boxLimits(shape, box, patch).map(({ low, high }, a) =>
    Math.min(high, Math.max(low, centre[a]! - Math.floor(box[a]! / 2))),
  ) as Vector3;
}

async function read(stored: StoredCase, start: Triple, size: Triple): Promise<LabelledPatch> {
  const channels = stored.shape[0] - 1;
  const values = await readPadded(stored, start, size, [...new Array(channels).fill(0), OUTSIDE]);
  const voxels = size[0] * size[1] * size[2];
  return {
    channels,
    size,
    image: values.subarray(0, channels * voxels),
    label: values.subarray(channels * voxels),
  };
}

/** Sample `index` of training step `step`: case, place and augmentation are drawn from streams of their own. */
export async function labelledSample(
  set: CaseSet,
  options: LabelledSampleOptions,
  step: number,
  index: number,
): Promise<LabelledSample> {
  const { seed, patch, channels, augmentation } = options;
  const id = set.draw(seed, step, "case", index);
  try {
    const stored = await set.get(id);
    requireLabelled(stored, channels);
    const box = augmentedReadSize(patch, augmentation);
    const forced = isForeground(index, options);
    const start = await place(
      stored,
      box,
      patch,
      forced,
      rng(seed, step, forced ? "foreground" : "patch", index),
    );
    const drawn = drawSegmentation(patch, channels, rng(seed, step, "augment", index), augmentation);
    const part = neededPart(patch, drawn, augmentation);
    const source = await read(stored, start.map((s, a) => s + part.start[a]!) as Vector3, part.size);
    const { image, label } = await augmentDrawn(source, part, patch, drawn, augmentation);
    return { case: id, image, label };
  } catch (error) {
    throw new SampleFailure(id, error);
  }
}

/** Fixed validation patch number `index`, placed as in a training batch, never augmented. */
export async function labelledValidationSample(
  set: CaseSet,
  options: LabelledSampleOptions,
  index: number,
): Promise<LabelledSample> {
  const { seed, patch, batch, channels } = options;
  const random = rng(seed, 0, "validation-patch", index);
  const id = set.ids[random.int(set.ids.length)]!;
  try {
    const stored = await set.get(id);
    requireLabelled(stored, channels);
    const start = await place(stored, patch, patch, isForeground(index % batch, options), random);
    const { image, label } = await read(stored, start, patch);
    return { case: id, image, label };
  } catch (error) {
    throw new SampleFailure(id, error);
  }
}
