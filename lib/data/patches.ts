/**
 * Where a training patch lies in its case (method.md 6.6), and reading it. An enlarged box Q is placed at random;
 * augmentation then samples the patch P around its centre. Only the voxels that it needs are read.
 */
import { ArgumentRangeError } from "../errors";
import { type Purpose, type Random, rng } from "../random";
import type { Triple } from "../triple";
import { StoredCase } from "./case-store";
import type { Vector3 } from "./geometry";

/** What lies outside of a case: its smallest value, or 0 as upstream does (0 is the mean after z-scoring). */
export type Padding = "minimum" | "zero";

const { floor, trunc, abs, max, min, cos, sin, PI } = Math;
// Upstream sizes Q for scalings down to this factor, whatever range is then drawn from.
const SMALLEST_SCALE = 0.85;
const ANISOTROPY = 3; // above it rotation stays within the slices

/** Whether a patch is so flat that it is only rotated and scaled within its slices (axis 0 is kept). */
export function isFlat(patch: Triple): boolean {
  return max(...patch) / patch[0] > ANISOTROPY;
}

/** Degrees up to which a patch is turned: a flat one by any angle, since it stays in its slices. */
export function largestTurn(patch: Triple, degrees: number): number {
  return isFlat(patch) ? 180 : degrees;
}

/**
 * Box that holds patch P under any one of the rotations up to `degrees` and scalings: 160 → 257, 96 → 154.
 * A flat patch is enlarged within its slices only: 20 × 160 × 160 → 20 × 188 × 188.
 */
export function enlargedPatch(patch: Triple, degrees: number): Vector3 {
  const angle = (min(largestTurn(patch, degrees), 90) / 180) * PI;
  const [a, b, c] = patch;
  const [co, si] = [cos(angle), sin(angle)];
  // |row vector · rotation about axis 0, 1, 2| as upstream writes the matrices
  const turned = [
    [a, b * co + c * si, abs(c * co - b * si)],
    [abs(a * co - c * si), b, a * si + c * co],
    [a * co + b * si, abs(b * co - a * si), c],
  ];
  return patch.map((p, axis) => {
    const largest = max(p, ...turned.map((t) => t[axis]!));
    return axis === 0 && isFlat(patch) ? p : trunc(largest / SMALLEST_SCALE);
  }) as Vector3;
}

/** Where box Q may begin in the case: half of its enlargement over the patch may hang over. */
export function boxLimits(shape: Triple, box: Triple, patch: Triple): { low: number; high: number }[] {
  return shape.map((n, axis) => {
    const [q, p] = [box[axis]!, patch[axis]!];
    const pad = max(q - p, q - n);
    return { low: floor(-pad / 2), high: n + floor(pad / 2) + (pad % 2) - q };
  });
}

/** First voxel of box Q in the case: uniform where it may begin. */
export function placeBox(shape: Triple, box: Triple, patch: Triple, random: Random): Vector3 {
  return boxLimits(shape, box, patch).map(({ low, high }) => low + random.int(high - low + 1)) as Vector3;
}

/**
 * Voxels of a box that may hang over the edges of the case; (C, D, H, W) of all its channels.
 * @param fill what lies outside, or one a channel
 */
export async function readPadded(
  stored: StoredCase,
  start: Triple,
  size: Triple,
  fill: number | readonly number[],
): Promise<Float32Array> {
  const [channels, ...shape] = stored.shape;
  const from = start.map((s) => max(0, s)) as Vector3;
  const inside = from.map((f, a) => min(shape[a]!, start[a]! + size[a]!) - f) as Vector3;
  const empty = inside.some((n) => n <= 0);
  const voxels = size[0] * size[1] * size[2];
  if (channels === 1 && inside.every((n, a) => n === size[a])) return stored.read(from, inside);
  const out = new Float32Array(channels * voxels);
  for (let c = 0; c < channels; c++)
    out.fill(typeof fill === "number" ? fill : fill[c]!, c * voxels, (c + 1) * voxels);
  for (let c = 0; c < channels && !empty; c++) {
    const part = await stored.read(from, inside, c);
    let at = 0;
    for (let z = 0; z < inside[0]; z++) {
      for (let y = 0; y < inside[1]; y++, at += inside[2]) {
        const row = (z + from[0] - start[0]) * size[1] + (y + from[1] - start[1]);
        out.set(part.subarray(at, at + inside[2]), c * voxels + row * size[2] + from[2] - start[2]);
      }
    }
  }
  return out;
}

/** Value that voxels outside of the case get. */
export function fillOf(stored: StoredCase, padding: Padding): number {
  return padding === "zero" ? 0 : stored.properties.minimum;
}

const MOST_OPEN = 256; // metadata and chunk index of a case are a few kB

/** The cases of a folder, opened on demand; the most recently used ones stay open. */
export class CaseSet {
  private readonly opened = new Map<string, StoredCase>();

  constructor(
    readonly folder: string,
    readonly ids: readonly string[],
  ) {
    if (ids.length === 0) throw new ArgumentRangeError("A set of cases needs at least one, found none.");
  }

  async get(id: string): Promise<StoredCase> {
    const stored = this.opened.get(id) ?? (await StoredCase.open(this.folder, id));
    this.opened.delete(id);
    this.opened.set(id, stored); // a Map keeps insertion order: the first is the least recently used
    if (this.opened.size > MOST_OPEN) this.opened.delete(this.opened.keys().next().value!);
    return stored;
  }

  /** Case of a sample: uniform over the cases, with replacement. */
  draw(seed: number, step: number, purpose: Purpose, index: number): string {
    return this.ids[rng(seed, step, purpose, index).int(this.ids.length)]!;
  }
}
