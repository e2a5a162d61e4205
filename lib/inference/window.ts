/** The arithmetic of sliding-window prediction, as nnU-Net does it (method.md §8): where patches lie and what they weigh. */
import { roundHalfEven } from "../data/preprocess-steps";
import { ArgumentRangeError } from "../errors";
import type { Triple } from "../triple";

/**
 * Starts of the patches along an axis: as few as cover it in steps of at most `step` patches, evenly spread.
 * A size of 110 with patches of 64 and step ½ gives 0, 23, 46.
 *
 * @param size at least `patch`
 * @param step in (0, 1]
 * @throws ArgumentRangeError
 */
export function windowStarts(size: number, patch: number, step = 0.5): number[] {
  const whole = (v: number) => Number.isInteger(v) && v > 0;
  if (!whole(size)) throw new ArgumentRangeError(`size is ${size}, allowed are whole numbers from 1`);
  if (!whole(patch) || size < patch)
    throw new ArgumentRangeError(
      `patch is ${patch} on an axis of ${size} voxels, allowed are whole numbers from 1 to ${size}`,
    );
  if (!(step > 0 && step <= 1)) throw new ArgumentRangeError(`step is ${step}, allowed is (0, 1]`);
  const steps = Math.ceil((size - patch) / (patch * step));
  if (steps === 0) return [0];
  return Array.from({ length: steps + 1 }, (_, i) => roundHalfEven(i * ((size - patch) / steps)));
}

const SIGMA = 1 / 8; // of the patch
const TRUNCATE = 4; // sigmas
const MAXIMUM = 10;

/** A unit impulse in the middle of an axis after a Gaussian filter, relative to its maximum; 0 beyond 4 σ. */
function bell(size: number): number[] {
  const middle = Math.floor(size / 2);
  const sigma = size * SIGMA;
  const radius = Math.floor(TRUNCATE * sigma + 0.5);
  return Array.from({ length: size }, (_, i) => {
    const distance = Math.abs(i - middle);
    return distance > radius ? 0 : Math.exp(-0.5 * (distance / sigma) ** 2);
  });
}

/** Weights of a patch's voxels (z, y, x): 10 in the middle, falling off with σ = ⅛ of the patch, never 0. */
export function gaussianWindow(patch: Triple): Float32Array {
  const [bz, by, bx] = patch.map(bell) as [number[], number[], number[]];
  const window = new Float32Array(bz.length * by.length * bx.length);
  let at = 0;
  for (const z of bz) for (const y of by) for (const x of bx) window[at++] = MAXIMUM * (z * y * x);
  let smallest = MAXIMUM;
  for (const w of window) if (w > 0 && w < smallest) smallest = w;
  return window.map((w) => (w > 0 ? w : smallest));
}

/** All combinations of the axes to mirror, none first: 2ⁿ of them. */
export function mirrorings(axes: readonly number[]): (readonly [boolean, boolean, boolean])[] {
  if (new Set(axes).size !== axes.length || axes.some((a) => a !== 0 && a !== 1 && a !== 2))
    throw new ArgumentRangeError(`mirror axes are [${axes}], allowed are 0, 1 and 2, each once`);
  return Array.from({ length: 2 ** axes.length }, (_, bits) => {
    const flipped = axes.filter((_, i) => (bits >> i) & 1);
    return [flipped.includes(0), flipped.includes(1), flipped.includes(2)] as const;
  });
}

/** Rows of an accumulator: the patches whose z start is in `starts` fill [begin, end); rows before `next` are complete. */
export interface SlabPlan {
  starts: readonly number[];
  begin: number;
  end: number;
  next: number;
}

/**
 * Cuts the z starts into slabs of as many starts as fit into `rows`; at least one each.
 * @param depth of the whole (padded) volume
 */
export function planSlabs(starts: readonly number[], patch: number, depth: number, rows: number): SlabPlan[] {
  const slabs: SlabPlan[] = [];
  for (let i = 0; i < starts.length; ) {
    let j = i + 1;
    while (j < starts.length && starts[j]! + patch - starts[i]! <= rows) j++;
    slabs.push({
      starts: starts.slice(i, j),
      begin: starts[i]!,
      end: starts[j - 1]! + patch,
      next: starts[j] ?? depth,
    });
    i = j;
  }
  return slabs;
}
