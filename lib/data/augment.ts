/**
 * Spatial augmentation of pre-training (method.md 6.7): rotation and isotropic scaling by one affine cubic
 * resampling, then mirroring. Everything drawn is a pure function of (seed, step, index).
 */
import { resampleAffine } from "../ops/resample";
import { rng } from "../random";
import { type Tensor, tensor } from "../tensor";
import type { Triple } from "../triple";
import type { StoredCase } from "./case-store";
import type { Vector3 } from "./geometry";
import { fillOf, isFlat, type Padding, readPadded } from "./patches";

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
  const limit = ((isFlat(patch) ? 180 : options.rotation.degrees) / 180) * PI;
  const rotates = random.uniform() < options.rotation.probability;
  const angles: Vector3 = [0, 1, 2].map(() => random.uniformIn(-limit, limit)) as Vector3;
  const scales = random.uniform() < options.scaling.probability;
  const [low, high] = options.scaling.range;
  const shrinks = random.uniform() < 0.5 && low < 1;
  const factor = shrinks ? random.uniformIn(low, 1) : random.uniformIn(max(low, 1), high);
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

/** Reverses the axes in place; `data` is any number of volumes of `shape`, one after the other. */
export function mirror(data: Float32Array, shape: Triple, axes: readonly [boolean, boolean, boolean]): void {
  let inner = 1;
  for (let axis = 2; axis >= 0; axis--) {
    const n = shape[axis]!;
    const outer = data.length / (n * inner);
    if (axes[axis]) {
      for (let o = 0; o < outer; o++) {
        for (let low = 0, high = n - 1; low < high; low++, high--) {
          const [p, q] = [(o * n + low) * inner, (o * n + high) * inner];
          for (let i = 0; i < inner; i++) {
            const held = data[p + i]!;
            data[p + i] = data[q + i]!;
            data[q + i] = held;
          }
        }
      }
    }
    inner *= n;
  }
}

async function transformed(
  data: Float32Array,
  channels: number,
  size: Triple,
  patch: Triple,
  matrix: readonly number[],
  order: 1 | 3,
  outside: number,
): Promise<Float32Array> {
  let x: Tensor | undefined;
  let y: Tensor | undefined;
  try {
    x = tensor(data, [channels, 1, ...size], { device: "cpu" }); // channels are sampled alike, as samples
    y = resampleAffine(x, patch, matrix, { order, outside });
    return (await y.data()) as Float32Array;
  } finally {
    x?.dispose();
    y?.dispose();
  }
}

/**
 * The augmented patch (C, D, H, W) of box Q at `start` of a case. Places outside of Q get the padding value, as
 * places outside of the case do.
 */
export async function augmentedPatch(
  stored: StoredCase,
  start: Triple,
  box: Triple,
  patch: Triple,
  augmentation: Augmentation,
  interpolation: "cubic" | "linear",
  padding: Padding,
): Promise<Float32Array> {
  const fill = fillOf(stored, padding);
  let data: Float32Array;
  if (!augmentation.angles && augmentation.scale === 1) {
    const centre = start.map((s, a) => s + floor((box[a]! - patch[a]!) / 2)) as Vector3;
    data = await readPadded(stored, centre, patch, fill);
  } else {
    const matrix = sampleMatrix(patch, box, augmentation);
    const part = sourceBox(matrix, patch, box);
    const source = await readPadded(
      stored,
      start.map((s, a) => s + part.start[a]!) as Vector3,
      part.size,
      fill,
    );
    for (let a = 0; a < 3; a++) matrix[a * 4 + 3]! -= part.start[a]!;
    const order = interpolation === "cubic" ? 3 : 1;
    data = await transformed(source, stored.shape[0], part.size, patch, matrix, order, fill);
  }
  mirror(data, patch, augmentation.mirrored);
  return data;
}
