/**
 * NIfTI images → stored cases (method.md 6.3): crop to the non-zero box, z-score over that box, resample to the
 * target spacing, store. One image failing is named and the others go on; a re-run redoes only what changed.
 */
import { stat } from "node:fs/promises";
import { DataError, VoxelsparkError } from "../errors";
import { ensureFolder, ioError, removeTemporary, sha256File } from "../files";
import { lockFolder } from "../lock";
import { resize } from "../ops/resample";
import { type Tensor, tensor } from "../tensor";
import { type CaseProperties, StoredCase, writeCase } from "./case-store";
import type { GeometryChoice, Vector3 } from "./geometry";
import { readNifti, readNiftiHeader, type Volume } from "./nifti";
import type { ImageCase } from "./sources";

/** Written out into every case. Triples are (z, y, x). */
export interface PreprocessOptions {
  /** Voxel size in mm; null keeps each image's own. Default [1, 1, 1]. */
  spacing: readonly [number, number, number] | null;
  /** "nonzero" cuts to the box around the non-zero voxels. Default "nonzero". */
  crop: "nonzero" | "none";
  /** Default "zscore", over the cropped box. */
  normalization: "zscore" | "none";
  /** Default "cubic". */
  interpolation: "cubic" | "linear";
  /** Spacing ratio above which the single coarse axis is resampled on its own, nearest. Default 3. */
  anisotropyThreshold: number;
  /** Default "error". */
  nonFinite: "error" | "zero";
  /** Which stored affine to trust. Default "auto". */
  geometry: GeometryChoice;
}

export const DEFAULT_PREPROCESSING: PreprocessOptions = {
  spacing: [1, 1, 1],
  crop: "nonzero",
  normalization: "zscore",
  interpolation: "cubic",
  anisotropyThreshold: 3,
  nonFinite: "error",
  geometry: "auto",
};

const { floor, max, min, sqrt, round } = Math;
const STD_FLOOR = 1e-8;

interface Box {
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

function cut(data: Float32Array, [, height, width]: Vector3, { start, end }: Box): Float32Array {
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
function moments(data: Float32Array): { mean: number; std: number } {
  let sum = 0;
  for (let i = 0; i < data.length; i++) sum += data[i]!;
  const mean = sum / data.length;
  let squares = 0;
  for (let i = 0; i < data.length; i++) squares += (data[i]! - mean) ** 2;
  return { mean, std: sqrt(squares / data.length) };
}

function normalise(data: Float32Array, mean: number, std: number): void {
  const scale = 1 / max(std, STD_FLOOR);
  for (let i = 0; i < data.length; i++) data[i] = (data[i]! - mean) * scale;
}

function minimumOf(data: Float32Array): number {
  let least = Number.POSITIVE_INFINITY;
  for (let i = 0; i < data.length; i++) if (data[i]! < least) least = data[i]!;
  return least;
}

/** Python's round: halves go to the even neighbour. */
function roundHalfEven(value: number): number {
  const below = floor(value);
  return value - below === 0.5 ? below + (below % 2) : round(value);
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

/** Resamples one volume to the target spacing; returns it with its new shape. */
async function resampled(
  data: Float32Array,
  shape: Vector3,
  current: Vector3,
  target: Vector3,
  options: PreprocessOptions,
): Promise<{ data: Float32Array; shape: Vector3 }> {
  const size = shape.map((n, a) => max(1, roundHalfEven((current[a]! / target[a]!) * n))) as Vector3;
  if (size.every((n, a) => n === shape[a])) return { data, shape };
  const order = options.interpolation === "cubic" ? 3 : 1;
  const alone = separateAxis(current, target, options.anisotropyThreshold);
  const orders = [0, 1, 2].map((axis) => (axis === alone ? 0 : order)) as [0 | 1 | 3, 0 | 1 | 3, 0 | 1 | 3];
  let x: Tensor | undefined;
  let y: Tensor | undefined;
  try {
    x = tensor(data, [1, 1, ...shape], { device: "cpu" });
    y = resize(x, size, { order: orders, ...(alone === undefined ? {} : { clipAxis: alone }) });
    return { data: (await y.data()) as Float32Array, shape: size };
  } finally {
    x?.dispose();
    y?.dispose();
  }
}

type Source = CaseProperties["source"];
const reversed = (v: readonly number[]): Vector3 => [v[2]!, v[1]!, v[0]!];

/** One image through all steps; nothing is written. Throws FormatError, GeometryError or DataError. */
export async function preprocessImage(
  image: ImageCase,
  source: Source,
  options: PreprocessOptions,
): Promise<{ data: Float32Array; properties: CaseProperties }> {
  const volume: Volume = await readNifti(image.path, {
    nonFinite: options.nonFinite,
    geometry: options.geometry,
  });
  const warnings = [...volume.warnings];
  const found = options.crop === "nonzero" ? nonzeroBox(volume.data, volume.shape) : undefined;
  if (options.crop === "nonzero" && !found) {
    throw new DataError(
      "ERR_VOXELSPARK_EMPTY",
      `${image.path}: all ${volume.data.length} voxels are 0, nothing is left after cropping.`,
    );
  }
  const crop: Box = found ?? { start: [0, 0, 0], end: volume.shape };
  const cropped = crop.end.map((e, a) => e - crop.start[a]!) as Vector3;
  const values = cut(volume.data, volume.shape, crop);
  const { mean, std } = moments(values);
  if (std < STD_FLOOR) warnings.push(`${image.path}: the image is constant (${mean}); its case holds zeros.`);
  if (options.normalization === "zscore") normalise(values, mean, std);
  const current = reversed(volume.geometry.spacing);
  const target = (options.spacing ?? current) as Vector3;
  const result = await resampled(values, cropped, current, target, options);
  const properties: CaseProperties = {
    id: image.id,
    subject: image.subject ?? image.id,
    modality: image.modality,
    source,
    options,
    geometry: volume.geometry,
    shapes: { source: volume.shape, cropped, stored: result.shape },
    crop,
    spacing: [...target],
    mean,
    std,
    minimum: minimumOf(result.data),
    warnings,
  };
  return { data: result.data, properties };
}

/** Whether a stored case was made from this very file with these options; also by content when only the time differs. */
async function isCurrent(
  folder: string,
  image: ImageCase,
  bytes: number,
  mtimeMs: number,
  options: PreprocessOptions,
): Promise<boolean> {
  const stored = await StoredCase.open(folder, image.id).catch(() => undefined);
  if (!stored) return false;
  const { source, options: before } = stored.properties;
  if (JSON.stringify(before) !== JSON.stringify(options) || source.bytes !== bytes) return false;
  await stored.checkLayout(); // a shard cut short by a full disk is redone
  return (
    (source.mtimeMs === mtimeMs && source.path === image.path) ||
    source.sha256 === (await sha256File(image.path))
  );
}

/**
 * Median spacing (z, y, x) of a set, axis by axis, from the headers alone: nnssl's "median" target. Images whose
 * header cannot be used are left out; preprocessing names them. Throws DataError if none can.
 */
export async function medianSpacing(
  images: readonly ImageCase[],
  geometry: GeometryChoice = "auto",
): Promise<Vector3> {
  const found: Vector3[] = [];
  for (const image of images) {
    const read = await readNiftiHeader(image.path, { geometry }).catch((error) => {
      if (!(error instanceof VoxelsparkError)) throw error;
      return undefined;
    });
    if (read) found.push(reversed(read.geometry.spacing));
  }
  if (found.length === 0) {
    throw new DataError(
      "ERR_VOXELSPARK_EMPTY",
      `None of the ${images.length} images has a header that can be used.`,
    );
  }
  return [0, 1, 2].map((axis) => median(found.map((spacing) => spacing[axis]!))) as Vector3;
}

function median(values: number[]): number {
  const sorted = values.sort((a, b) => a - b);
  const middle = (sorted.length - 1) / 2;
  return (sorted[floor(middle)]! + sorted[Math.ceil(middle)]!) / 2;
}

export interface PreprocessStep {
  done: number;
  total: number;
  case: string;
  path: string;
  /** "done": made now; "current": was up to date; "failed": see `error`. */
  status: "done" | "current" | "failed";
  error?: VoxelsparkError;
  warnings: readonly string[];
}

async function preprocessCase(
  folder: string,
  image: ImageCase,
  options: PreprocessOptions,
): Promise<Pick<PreprocessStep, "status" | "warnings">> {
  const info = await stat(image.path).catch(async (error) => {
    throw await ioError("read", image.path, error);
  });
  const current = await isCurrent(folder, image, info.size, info.mtimeMs, options).catch(() => false);
  if (current) return { status: "current", warnings: [] };
  if (!info.isFile()) throw new DataError("ERR_VOXELSPARK_DATA", `${image.path} is no regular file.`);
  const source = {
    path: image.path,
    bytes: info.size,
    mtimeMs: info.mtimeMs,
    sha256: await sha256File(image.path),
  };
  const { data, properties } = await preprocessImage(image, source, options);
  await writeCase(folder, data, properties);
  return { status: "done", warnings: properties.warnings };
}

/**
 * Preprocesses `images` into `folder`, one a step; the folder is locked meanwhile. Files that cannot be used are
 * reported in their step, and the rest goes on. Errors of the output folder (full disk, permissions) end it.
 */
export async function* preprocess(
  images: readonly ImageCase[],
  folder: string,
  options: Partial<PreprocessOptions> = {},
): AsyncGenerator<PreprocessStep> {
  const complete = completeOptions(options);
  await ensureFolder(folder);
  const lock = await lockFolder(folder);
  try {
    await removeTemporary(folder);
    for (const [i, image] of images.entries()) {
      const step = { done: i + 1, total: images.length, case: image.id, path: image.path };
      try {
        yield { ...step, ...(await preprocessCase(folder, image, complete)) };
      } catch (error) {
        if (!(error instanceof VoxelsparkError) || isOutputError(error, folder)) throw error;
        yield { ...step, status: "failed", error, warnings: [] };
      }
    }
  } finally {
    await lock.release();
  }
}

function isOutputError(error: VoxelsparkError, folder: string): boolean {
  return error.code === "ERR_VOXELSPARK_IO" && error.message.includes(folder);
}

/** Fills in defaults and fixes the order of the fields, which the comparison with stored options relies on. */
export function completeOptions(options: Partial<PreprocessOptions>): PreprocessOptions {
  const o = { ...DEFAULT_PREPROCESSING, ...options };
  return {
    spacing: o.spacing,
    crop: o.crop,
    normalization: o.normalization,
    interpolation: o.interpolation,
    anisotropyThreshold: o.anisotropyThreshold,
    nonFinite: o.nonFinite,
    geometry: o.geometry,
  };
}
