/**
 * Spatial augmentation of pre-training (method.md 6.7): rotation and isotropic scaling by one affine cubic
 * resampling, then mirroring. Everything drawn is a pure function of (seed, step, index).
 */
import { resampleAffine } from "../ops/resample";
import { rng } from "../random";
import { tensor } from "../tensor";
import type { Triple } from "../triple";
import type { StoredCase } from "./case-store";
import type { Vector3 } from "./geometry";
import { fillOf, isFlat, largestTurn, type Padding, readPadded } from "./patches";
import { drawFactor } from "./segmentation-draw";

/** The plan's `augmentation`. */
export interface AugmentationOptions {
  readonly rotation: { readonly probability: number; readonly degrees: number };
  readonly scaling: { readonly probability: number; readonly range: readonly [number, number] };
  readonly mirroring: { readonly probability: number; readonly axes: readonly number[] };
  readonly interpolation: "cubic" | "linear";
}

/** What one sample undergoes. */
export interface Augmentation {
  /** Radians about axes 0, 1, 2 (z, y, x); undefined: not rotated. */
  readonly angles?: Vector3;
  /** Coordinates are multiplied by it: above 1 the content shrinks; 1: not scaled. */
  readonly scale: number;
  readonly mirrored: readonly [boolean, boolean, boolean];
}

const { cos, sin, PI, floor, ceil, max, min } = Math;
// The prefilter's memory fades by 0.268 a voxel: what lies 14 voxels off changes a coefficient by 1e-8.
const SUPPORT = 2;
const MEMORY = 14;

/** Draws in a fixed order, used or not, so that no probability moves the other draws. */
export function drawAugmentation(
  options: AugmentationOptions,
  patch: Triple,
  seed: number,
  step: number,
  index: number,
): Augmentation {
  const random = rng(seed, step, "augment", index);
  const limit = (largestTurn(patch, options.rotation.degrees) / 180) * PI;
  const rotates = random.uniform() < options.rotation.probability;
  const angles: Vector3 = [0, 1, 2].map(() => random.uniformIn(-limit, limit)) as Vector3;
  const scales = random.uniform() < options.scaling.probability;
  const factor = drawFactor(random, options.scaling.range);
  const draws = [random.uniform(), random.uniform(), random.uniform()];
  const mirrored = draws.map(
    (u, axis) => options.mirroring.axes.includes(axis) && u < options.mirroring.probability,
  );
  return {
    angles: rotates ? (isFlat(patch) ? [angles[0], 0, 0] : angles) : undefined,
    scale: scales ? factor : 1,
    mirrored: mirrored as [boolean, boolean, boolean],
  };
}

type Matrix3 = readonly (readonly number[])[];

function multiply(a: Matrix3, b: Matrix3): number[][] {
  return a.map((row) =>
    [0, 1, 2].map((j) => row[0]! * b[0]![j]! + row[1]! * b[1]![j]! + row[2]! * b[2]![j]!),
  );
}

/** Rx · Ry · Rz about array axes 0, 1, 2, for row vectors. */
function rotationOf([a, b, c]: Vector3): number[][] {
  const x = [
    [1, 0, 0],
    [0, cos(a), -sin(a)],
    [0, sin(a), cos(a)],
  ];
  const y = [
    [cos(b), 0, sin(b)],
    [0, 1, 0],
    [-sin(b), 0, cos(b)],
  ];
  const z = [
    [cos(c), -sin(c), 0],
    [sin(c), cos(c), 0],
    [0, 0, 1],
  ];
  return multiply(multiply(x, y), z);
}

/** 3×4 from voxels of the patch to voxels of box Q; both are centred on each other. */
export function sampleMatrix(patch: Triple, box: Triple, { angles, scale }: Augmentation): number[] {
  const rotation = rotationOf(angles ?? [0, 0, 0]);
  return [0, 1, 2].flatMap((to) => {
    const factor = to === 0 && isFlat(patch) ? 1 : scale;
    const row = [0, 1, 2].map((from) => rotation[from]![to]! * factor); // row vector times rotation
    const shift = (box[to]! - 1) / 2 - row.reduce((sum, r, from) => sum + (r * (patch[from]! - 1)) / 2, 0);
    return [...row, shift];
  });
}

/** Part of box Q that the patch's samples touch, and `margin` voxels around them. */
export function sourceBox(
  matrix: readonly number[],
  patch: Triple,
  box: Triple,
  margin = SUPPORT + MEMORY,
): { start: Vector3; size: Vector3 } {
  const start: Vector3 = [0, 0, 0];
  const size: Vector3 = [0, 0, 0];
  for (let a = 0; a < 3; a++) {
    let [low, high] = [matrix[a * 4 + 3]!, matrix[a * 4 + 3]!];
    for (let b = 0; b < 3; b++) {
      const reach = matrix[a * 4 + b]! * (patch[b]! - 1);
      low += min(0, reach);
      high += max(0, reach);
    }
    start[a] = min(max(0, floor(low) - margin), box[a]! - 1);
    size[a] = max(1, min(box[a]!, ceil(high) + margin + 1) - start[a]!);
  }
  return { start, size };
}

/**
 * Reverses the axes in place; `data` is any number of volumes of `shape`, one after the other. The kernel of the same name
 * takes longer, since values would have to be copied to the device and back.
 */
export function mirror(data: Float32Array, shape: Triple, axes: readonly [boolean, boolean, boolean]): void {
  let inner = 1;
  for (let axis = 2; axis >= 0; axis--) {
    const block = shape[axis]! * inner;
    for (let first = 0; axes[axis] && first < data.length; first += block) reverse(data, first, block, inner);
    inner = block;
  }
}

/** Reverses the order of the rows of `length` values in a block. */
function reverse(data: Float32Array, first: number, block: number, length: number): void {
  for (let low = first, high = first + block - length; low < high; low += length, high -= length)
    for (let i = 0; i < length; i++) {
      const held = data[low + i]!;
      data[low + i] = data[high + i]!;
      data[high + i] = held;
    }
}

/** A patch in the middle of a box that begins at `start` of a case. */
export interface PatchPlace {
  readonly start: Triple;
  readonly box: Triple;
  readonly patch: Triple;
}

/**
 * The augmented patch (C, D, H, W) of a box. Places outside of the box get the padding value, as places outside of the
 * case do.
 */
export async function augmentedPatch(
  stored: StoredCase,
  { start, box, patch }: PatchPlace,
  augmentation: Augmentation,
  { interpolation, padding }: Pick<AugmentationOptions, "interpolation"> & { readonly padding: Padding },
): Promise<Float32Array> {
  const outside = fillOf(stored, padding);
  const read = (from: Triple, size: Triple) =>
    readPadded(stored, start.map((s, a) => s + from[a]!) as Vector3, size, outside);
  const moves = augmentation.angles !== undefined || augmentation.scale !== 1;
  const data = moves ? await moved() : await read(middleOf(patch, box), patch);
  mirror(data, patch, augmentation.mirrored);
  return data;

  async function moved(): Promise<Float32Array> {
    const matrix = sampleMatrix(patch, box, augmentation);
    const part = sourceBox(matrix, patch, box);
    const source = await read(part.start, part.size);
    for (let a = 0; a < 3; a++) matrix[a * 4 + 3]! -= part.start[a]!;
    const order = interpolation === "cubic" ? 3 : 1;
    // Channels are sampled alike, as samples.
    using x = tensor(source, [stored.shape[0], 1, ...part.size], { device: "cpu" });
    using y = resampleAffine(x, patch, matrix, { order, outside });
    return (await y.data()) as Float32Array;
  }
}

/** First voxel of a patch in the middle of a box. */
export function middleOf(patch: Triple, box: Triple): Vector3 {
  return box.map((q, a) => floor((q - patch[a]!) / 2)) as Vector3;
}
