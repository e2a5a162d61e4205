/** Label maps: which values they hold, resampling, and where their foreground lies. */
import { DataError } from "../errors";
import { allowedLabels, countedLabels, foregroundOf, ignoreLabel, type LabelScheme } from "../labels";
import { rng } from "../random";
import type { Vector3 } from "./geometry";
import type { PreprocessOptions } from "./preprocess-image";
import { resampledShape, separateAxis } from "./preprocess-steps";

const MOST_SHOWN = 10;

/** Throws DataError naming the values that the scheme does not have, and how many voxels hold each. */
export function requireLabels(data: Float32Array, scheme: LabelScheme, source: string): void {
  const allowed = allowedLabels(scheme);
  const most = allowed.at(-1)!; // labels have no gaps
  const wrong = new Map<number, number>();
  for (let i = 0; i < data.length; i++) {
    const value = data[i]!;
    if (value >= 0 && value <= most && value === Math.trunc(value)) continue;
    wrong.set(value, (wrong.get(value) ?? 0) + 1);
  }
  if (wrong.size === 0) return;
  const shown = [...wrong].sort(([a], [b]) => a - b).slice(0, MOST_SHOWN);
  const more = wrong.size > MOST_SHOWN ? ` and ${wrong.size - MOST_SHOWN} other values` : "";
  throw new DataError(
    "ERR_VOXELSPARK_DATA",
    `${source} holds labels that dataset.json does not name: ` +
      `${shown.map(([value, count]) => `${value} (${count} voxels)`).join(", ")}${more}; ` +
      `allowed are whole numbers from 0 to ${most}.`,
  );
}

/** For each voxel along an output axis: the two voxels that it lies between, and how much the second weighs. */
interface AxisPlaces {
  readonly low: Int32Array;
  readonly high: Int32Array;
  readonly weight: Float64Array;
}

/** Pixel centres on pixel centres, beyond the edge the edge (method.md §6.3). */
function axisPlaces(from: number, to: number, nearest: boolean): AxisPlaces {
  const [low, high, weight] = [new Int32Array(to), new Int32Array(to), new Float64Array(to)];
  for (let i = 0; i < to; i++) {
    const at = Math.min(from - 1, Math.max(0, ((i + 0.5) * from) / to - 0.5));
    low[i] = Math.floor(nearest ? at + 0.5 : at);
    high[i] = nearest ? low[i]! : Math.min(from - 1, low[i]! + 1);
    weight[i] = nearest ? 0 : at - low[i]!;
  }
  return { low, high, weight };
}

const HALF = 0.5 - 1e-9; // one half in spite of rounding

// Of the eight corners around one voxel, z first, x last.
const labels = new Float64Array(8);
const weights = new Float64Array(8);

/** The highest label whose corners weigh one half, 0 if none does. */
function labelOfCorners(): number {
  let chosen = 0;
  for (let i = 0; i < 8; i++) {
    const label = labels[i]!;
    if (label <= chosen) continue;
    let sum = 0;
    for (let k = 0; k < 8; k++) if (labels[k] === label) sum += weights[k]!;
    if (sum >= HALF) chosen = label;
  }
  return chosen;
}

/**
 * One row along x of the output.
 * @param rows where the four input rows around it begin, and `shares` what each weighs
 */
function resampleRow(
  data: Float32Array,
  rows: readonly number[],
  shares: readonly number[],
  { low, high, weight }: AxisPlaces,
  out: Float32Array,
): void {
  for (let x = 0; x < out.length; x++) {
    const wx = weight[x]!;
    let same = true;
    for (let row = 0; row < 4; row++) {
      const [left, right] = [data[rows[row]! + low[x]!]!, data[rows[row]! + high[x]!]!];
      labels[row * 2] = left;
      labels[row * 2 + 1] = right;
      same &&= left === labels[0] && right === labels[0];
    }
    if (!same) for (let i = 0; i < 8; i++) weights[i] = shares[i >> 1]! * (i & 1 ? wx : 1 - wx);
    out[x] = same ? labels[0]! : labelOfCorners();
  }
}

/**
 * A label map at the target spacing: each label is resampled as a mask, linearly, and takes the voxels where that reaches
 * one half, higher labels over lower ones (method.md §6.3; nnU-Net's resize_segmentation). All labels in one pass.
 */
export function resampledLabels(
  data: Float32Array,
  shape: Vector3,
  current: Vector3,
  target: Vector3,
  { anisotropyThreshold }: Pick<PreprocessOptions, "anisotropyThreshold">,
): Float32Array {
  const size = resampledShape(shape, current, target);
  if (size.every((n, a) => n === shape[a])) return data;
  const alone = separateAxis(current, target, anisotropyThreshold);
  const places = size.map((n, a) => axisPlaces(shape[a]!, n, a === alone));
  const [pz, py, px] = places as [AxisPlaces, AxisPlaces, AxisPlaces];
  const [, height, width] = shape;
  const out = new Float32Array(size[0] * size[1] * size[2]);
  for (let z = 0, to = 0; z < size[0]; z++) {
    const [near, far, wz] = [pz.low[z]! * height, pz.high[z]! * height, pz.weight[z]!];
    for (let y = 0; y < size[1]; y++, to += size[2]) {
      const [low, high, wy] = [py.low[y]!, py.high[y]!, py.weight[y]!];
      const rows = [near + low, near + high, far + low, far + high].map((row) => row * width);
      const shares = [(1 - wz) * (1 - wy), (1 - wz) * wy, wz * (1 - wy), wz * wy];
      resampleRow(data, rows, shares, px, out.subarray(to, to + size[2]));
    }
  }
  return out;
}

/** Voxels of one class or region, and how many of them are kept as places to centre a patch on. */
export interface ForegroundEntry {
  readonly name: string;
  readonly labels: readonly number[];
  readonly voxels: number;
  readonly kept: number;
}

/** Name of the entry of everything that is not the ignore label; only there if the scheme has one. */
export const ANNOTATED = "(annotated)";
const SEED = 1234; // nnU-Net's, though its generator is another one
const LEAST_KEPT = 10000;
const LEAST_SHARE = 0.01;

/** The sets of labels that locations are kept of. */
function wantedSets(scheme: LabelScheme): { name: string; labels: readonly number[] }[] {
  const annotated = { name: ANNOTATED, labels: countedLabels(scheme) };
  return [...foregroundOf(scheme), ...(ignoreLabel(scheme) === undefined ? [] : [annotated])];
}

/** `count` different whole numbers below n, ascending (Floyd's algorithm: as many draws as numbers). */
function distinct(count: number, n: number, index: number): Uint32Array {
  const random = rng(SEED, 0, "foreground", index);
  const chosen = new Set<number>();
  for (let i = n - count; i < n; i++) {
    const drawn = random.int(i + 1);
    chosen.add(chosen.has(drawn) ? i : drawn);
  }
  return Uint32Array.from(chosen).sort();
}

/**
 * Places of every class or region, as nnU-Net keeps them: all up to 10 000, else a random 10 000 or 1 % if that is more;
 * here voxels of overlapping regions count for each of them, which upstream takes from all but the first.
 * `locations` holds them one set after the other, ascending, as indices into the volume.
 */
export function foregroundLocations(
  data: Float32Array,
  scheme: LabelScheme,
): { table: ForegroundEntry[]; locations: Uint32Array } {
  const sets = wantedSets(scheme);
  const histogram = new Float64Array(allowedLabels(scheme).length);
  for (let i = 0; i < data.length; i++) histogram[data[i]!]!++;
  const table = sets.map(({ name, labels }) => {
    const voxels = labels.reduce((sum, label) => sum + histogram[label]!, 0);
    const kept = Math.max(Math.min(LEAST_KEPT, voxels), Math.ceil(LEAST_SHARE * voxels));
    return { name, labels, voxels, kept };
  });
  const ranks = table.map(({ kept, voxels }, i) => distinct(kept, voxels, i));
  const setsOf = Array.from(histogram, (_, label) =>
    sets.flatMap(({ labels }, i) => (labels.includes(label) ? [i] : [])),
  );
  const starts = ranks.map((_, i) => ranks.slice(0, i).reduce((sum, r) => sum + r.length, 0));
  const locations = new Uint32Array(ranks.reduce((sum, r) => sum + r.length, 0));
  const seen = new Float64Array(sets.length);
  const taken = new Float64Array(sets.length);
  for (let i = 0; i < data.length; i++) {
    for (const set of setsOf[data[i]!]!) {
      if (ranks[set]![taken[set]!] === seen[set]) locations[starts[set]! + taken[set]!++] = i;
      seen[set]!++;
    }
  }
  return { table, locations };
}
