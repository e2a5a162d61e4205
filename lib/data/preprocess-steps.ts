/** The steps of preprocessing one volume (method.md 6.3): crop, z-score, resampling. Triples are (z, y, x). */
import { resize } from "../ops/resample";
import { type Tensor, tensor } from "../tensor";
import type { Vector3 } from "./geometry";
import type { PreprocessOptions } from "./preprocess-image";

const { floor, max, min, sqrt, round } = Math;
/** Smallest deviation that values are divided by. */
export const STD_FLOOR = 1e-8;

export interface Box {
  start: Vector3;
  end: Vector3; // exclusive
}

/**
 * Smallest box (z, y, x) around the voxels that are not 0; undefined if there is none. Filling the holes of the
 * mask first, as upstream does, never moves its box: a hole is enclosed by it.
 */
export function nonzeroBox(data: Float32Array, [depth, height, width]: Vector3): Box | undefined {
  const start: Vector3 = [depth, height, width];
  const end: Vector3 = [0, 0, 0];
  for (let z = 0, row = 0; z < depth; z++) {
    for (let y = 0; y < height; y++, row += width) {
      let first = 0;
      while (first < width && data[row + first] === 0) first++;
      if (first === width) continue;
      let last = width - 1;
      while (data[row + last] === 0) last--;
      start[0] = min(start[0], z);
      start[1] = min(start[1], y);
      start[2] = min(start[2], first);
      end[0] = z + 1;
      end[1] = max(end[1], y + 1);
      end[2] = max(end[2], last + 1);
    }
  }
  return end[0] === 0 ? undefined : { start, end };
}

export function cut(data: Float32Array, [, height, width]: Vector3, { start, end }: Box): Float32Array {
  const size = end.map((e, a) => e - start[a]!) as Vector3;
  const out = new Float32Array(size[0] * size[1] * size[2]);
  let at = 0;
  for (let z = start[0]; z < end[0]; z++) {
    for (let y = start[1]; y < end[1]; y++, at += size[2]) {
      const row = (z * height + y) * width;
      out.set(data.subarray(row + start[2], row + end[2]), at);
    }
  }
  return out;
}

/** Mean and population deviation in float64: two passes, so that no large mean cancels a small deviation. */
export function moments(data: Float32Array): { mean: number; std: number } {
  let sum = 0;
  for (let i = 0; i < data.length; i++) sum += data[i]!;
  const mean = sum / data.length;
  let squares = 0;
  for (let i = 0; i < data.length; i++) squares += (data[i]! - mean) ** 2;
  return { mean, std: sqrt(squares / data.length) };
}

export function normalise(data: Float32Array, mean: number, std: number): void {
  const scale = 1 / max(std, STD_FLOOR);
  for (let i = 0; i < data.length; i++) data[i] = (data[i]! - mean) * scale;
}

export function minimumOf(data: Float32Array): number {
  let least = Number.POSITIVE_INFINITY;
  for (let i = 0; i < data.length; i++) if (data[i]! < least) least = data[i]!;
  return least;
}

/** Python's round: halves go to the even neighbour. */
export function roundHalfEven(value: number): number {
  const below = floor(value);
  if (value - below !== 0.5) return round(value);
  return below % 2 === 0 ? below : below + 1;
}

/** Axis (0 z, 1 y, 2 x) that is resampled on its own: the only coarse one; undefined for ordinary 3-D. */
export function separateAxis(current: Vector3, target: Vector3, threshold: number): 0 | 1 | 2 | undefined {
  for (const spacing of [current, target]) {
    const coarsest = max(...spacing);
    if (coarsest / min(...spacing) <= threshold) continue;
    const axes = spacing.flatMap((s, a) => (s === coarsest ? [a] : []));
    return axes.length === 1 ? (axes[0] as 0 | 1 | 2) : undefined;
  }
  return undefined;
}

type Sampling = Pick<PreprocessOptions, "interpolation" | "anisotropyThreshold">;

/** Voxels that a volume of `shape` gets at the target spacing. */
export function resampledShape(shape: Vector3, current: Vector3, target: Vector3): Vector3 {
  return shape.map((n, a) => max(1, roundHalfEven((current[a]! / target[a]!) * n))) as Vector3;
}

/** One volume at the target spacing. */
export async function resampled(
  data: Float32Array,
  shape: Vector3,
  current: Vector3,
  target: Vector3,
  { interpolation, anisotropyThreshold }: Sampling,
): Promise<Float32Array> {
  const size = resampledShape(shape, current, target);
  if (size.every((n, a) => n === shape[a])) return data;
  const order = interpolation === "cubic" ? 3 : 1;
  const alone = separateAxis(current, target, anisotropyThreshold);
  const orders = [0, 1, 2].map((axis) => (axis === alone ? 0 : order)) as [0 | 1 | 3, 0 | 1 | 3, 0 | 1 | 3];
  let x: Tensor | undefined;
  let y: Tensor | undefined;
  try {
    x = tensor(data, [1, 1, ...shape], { device: "cpu" });
    y = resize(x, size, { order: orders, ...(alone === undefined ? {} : { clipAxis: alone }) });
    return (await y.data()) as Float32Array;
  } finally {
    x?.dispose();
    y?.dispose();
  }
}
