/** One image → one case (method.md 6.3): crop to the non-zero box, z-score over that box, resample to the spacing. */
import { DataError, VoxelsparkError } from "../errors";
import type { CaseProperties, ChannelStatistics, Source } from "./case-store";
import type { Geometry, GeometryChoice, Vector3 } from "./geometry";
import { foregroundLocations, requireLabels, resampledLabels } from "./label-map";
import { readNifti, type Volume } from "./nifti";
import {
  type Box,
  cut,
  minimumOf,
  moments,
  nonzeroBox,
  normalise,
  resampled,
  resampledShape,
  STD_FLOOR,
} from "./preprocess-steps";
import { requireSameGrid } from "./same-grid";
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

/** The paper's preprocessing (method.md 6.3). */
export const DEFAULT_PREPROCESSING: PreprocessOptions = {
  spacing: [1, 1, 1],
  crop: "nonzero",
  normalization: "zscore",
  interpolation: "cubic",
  anisotropyThreshold: 3,
  nonFinite: "error",
  geometry: "auto",
};

/** (x, y, z) ↔ (z, y, x) */
export const reversed = (v: readonly number[]): Vector3 => [v[2]!, v[1]!, v[0]!];

/** Channels of one image, cut, normalised and at their target spacing. */
export interface Preprocessed {
  readonly data: Float32Array; // (C, ...shapes.stored)
  readonly shapes: CaseProperties["shapes"];
  readonly crop: Box;
  readonly spacing: Vector3;
  readonly geometry: Geometry;
  readonly channels: readonly ChannelStatistics[];
  readonly warnings: readonly string[];
}

/** Box around what is not 0 in any channel. */
function cropOf(volumes: readonly Volume[], options: PreprocessOptions, source: string): Box {
  const shape = volumes[0]!.shape;
  if (options.crop === "none") return { start: [0, 0, 0], end: shape };
  const boxes = volumes.flatMap(({ data }) => nonzeroBox(data, shape) ?? []);
  if (boxes.length === 0) {
    const voxels = volumes.length * volumes[0]!.data.length;
    throw new DataError(
      "ERR_VOXELSPARK_EMPTY",
      `${source}: all ${voxels} voxels are 0, nothing is left after cropping.`,
    );
  }
  return {
    start: [0, 1, 2].map((a) => Math.min(...boxes.map(({ start }) => start[a]!))) as Vector3,
    end: [0, 1, 2].map((a) => Math.max(...boxes.map(({ end }) => end[a]!))) as Vector3,
  };
}

/**
 * The channels of one image, which lie on the same grid, through all steps: each is normalised on its own, the crop is
 * that of all.
 * @param paths name the volumes in messages
 */
export async function preprocessVolumes(
  volumes: Volume[],
  paths: readonly string[],
  options: PreprocessOptions,
): Promise<Preprocessed> {
  const [{ shape, geometry }] = volumes as [Volume];
  const warnings = volumes.flatMap((volume) => volume.warnings);
  const crop = cropOf(volumes, options, paths[0]!);
  const cropped = crop.end.map((e, a) => e - crop.start[a]!) as Vector3;
  const current = reversed(geometry.spacing);
  const spacing = [...(options.spacing ?? current)] as Vector3;
  const stored = resampledShape(cropped, current, spacing);
  const voxels = stored[0] * stored[1] * stored[2];
  const data = new Float32Array(volumes.length * voxels);
  const channels: ChannelStatistics[] = [];
  const shapes = { source: shape, cropped, stored };
  for (let c = 0; volumes.length > 0; c++) {
    const values = cut(volumes.shift()!.data, shape, crop);
    const { mean, std } = moments(values);
    if (std < STD_FLOOR) warnings.push(`${paths[c]}: the image is constant (${mean}); its case holds zeros.`);
    if (options.normalization === "zscore") normalise(values, mean, std);
    const result = await resampled(values, cropped, current, spacing, options);
    data.set(result, c * voxels);
    channels.push({ mean, std, minimum: minimumOf(result) });
  }
  return { data, shapes, crop, spacing, geometry, channels, warnings };
}

/** The files that a case is made from. */
export interface Sources {
  readonly image: readonly Source[]; // one a channel
  readonly label?: Source;
}

/** All faults of one case as one error. */
function throwAll(faults: readonly VoxelsparkError[]): void {
  if (faults.length === 1) throw faults[0];
  if (faults.length === 0) return;
  const messages = faults.map(({ message }) => message).join(" ");
  throw new DataError("ERR_VOXELSPARK_DATA", messages, { cause: new AggregateError(faults) });
}

/**
 * Channels and label map of a case, verified: readable, finite, on one grid, no label beside those of the scheme.
 * @throws VoxelsparkError with every fault of the case
 */
export async function readCase(
  { path, further = [], label }: ImageCase,
  { nonFinite, geometry }: Pick<PreprocessOptions, "nonFinite" | "geometry">,
): Promise<{ channels: Volume[]; label?: Volume }> {
  const faults: VoxelsparkError[] = [];
  const attempt = async <T>(action: () => T): Promise<Awaited<T> | undefined> => {
    try {
      return await action();
    } catch (error) {
      if (!(error instanceof VoxelsparkError)) throw error;
      faults.push(error);
      return undefined;
    }
  };
  const paths = [path, ...further];
  const found: (Volume | undefined)[] = [];
  for (const file of paths) found.push(await attempt(() => readNifti(file, { nonFinite, geometry })));
  const map = label && (await attempt(() => readNifti(label.path, { geometry, content: "labels" })));
  const [first] = found;
  for (const [c, volume] of found.entries())
    if (first && volume && c > 0) await attempt(() => requireSameGrid(first, volume, path, paths[c]!));
  if (first && map) await attempt(() => requireSameGrid(first, map, path, label!.path));
  if (map) await attempt(() => requireLabels(map.data, label!.scheme, label!.path));
  throwAll(faults);
  return { channels: found as Volume[], ...(map ? { label: map } : {}) };
}

/** A case in memory: the channels, then the label map where there is one, and where its foreground lies. */
export interface MadeCase {
  readonly data: Float32Array;
  readonly properties: CaseProperties;
  readonly locations?: Uint32Array;
}

/** The label map on the grid of the channels that were made from the same case. */
function labelPart(
  map: Volume,
  image: ImageCase,
  source: Source,
  made: Preprocessed,
  options: PreprocessOptions,
) {
  const { crop, shapes, spacing } = made;
  const values = cut(map.data, map.shape, crop);
  const current = reversed(map.geometry.spacing);
  const { scheme } = image.label!;
  const data = resampledLabels(values, shapes.cropped, current, spacing, options);
  const { table, locations } = foregroundLocations(data, scheme);
  const empty = table.every(({ voxels }) => voxels === 0);
  const warnings = empty ? [`${source.path}: no voxel has a label other than the background.`] : [];
  return { data, locations, warnings, properties: { source, scheme, foreground: table } };
}

/** One case through all steps; nothing is written. Throws FormatError, GeometryError or DataError. */
export async function preprocessImage(
  image: ImageCase,
  sources: Sources,
  options: PreprocessOptions,
): Promise<MadeCase> {
  const { channels, label: map } = await readCase(image, options);
  const made = await preprocessVolumes(channels, [image.path, ...(image.further ?? [])], options);
  const label = map && labelPart(map, image, sources.label!, made, options);
  const [first, ...further] = made.channels;
  const properties: CaseProperties = {
    id: image.id,
    subject: image.subject ?? image.id,
    modality: image.modality,
    source: sources.image[0]!,
    options,
    geometry: made.geometry,
    shapes: made.shapes,
    crop: made.crop,
    spacing: made.spacing,
    ...first!,
    ...(further.length > 0
      ? { further: further.map((statistics, i) => ({ source: sources.image[i + 1]!, ...statistics })) }
      : {}),
    ...(label ? { label: label.properties } : {}),
    warnings: [...made.warnings, ...(label?.warnings ?? [])],
  };
  if (!label) return { data: made.data, properties };
  const data = new Float32Array(made.data.length + label.data.length);
  data.set(made.data);
  data.set(label.data, made.data.length);
  return { data, properties, locations: label.locations };
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
