/** The channels of one case, a file each, through the steps of method.md §6.3: one crop for all, a z-score for each. */
import { DataError } from "../errors";
import { type Geometry, requireSameGrid, type Vector3 } from "./geometry";
import { readNifti, type Volume } from "./nifti";
import type { NiftiHeader } from "./nifti-header";
import {
  type Box,
  cut,
  moments,
  nonzeroBox,
  normalise,
  type PreprocessOptions,
  resampled,
  reversed,
  STD_FLOOR,
} from "./preprocess-image";

/** A preprocessed case and how it lies in the grid of its files. Triples are (z, y, x). */
export interface ChannelCase {
  /** (C, D, H, W). */
  readonly data: Float32Array;
  readonly shapes: { readonly source: Vector3; readonly cropped: Vector3; readonly stored: Vector3 };
  readonly crop: Box;
  /** Voxel size in mm: of the files, and of `data`. */
  readonly spacing: { readonly source: Vector3; readonly stored: Vector3 };
  /** Of the first file. */
  readonly header: NiftiHeader;
  readonly geometry: Geometry;
  readonly warnings: readonly string[];
}

/** Smallest box around the voxels that are not 0 in some channel. */
function commonBox(volumes: readonly Volume[]): Box | undefined {
  const boxes = volumes.flatMap(({ data, shape }) => nonzeroBox(data, shape) ?? []);
  if (boxes.length === 0) return undefined;
  const over = (choose: (...values: number[]) => number, edge: "start" | "end") =>
    [0, 1, 2].map((a) => choose(...boxes.map((box) => box[edge][a]!))) as Vector3;
  return { start: over(Math.min, "start"), end: over(Math.max, "end") };
}

/** Channels are read one after the other, and all offenders are named at once. */
async function readChannels(files: readonly string[], options: PreprocessOptions): Promise<Volume[]> {
  const { nonFinite, geometry } = options;
  const volumes: Volume[] = [];
  for (const file of files) volumes.push(await readNifti(file, { nonFinite, geometry }));
  for (const [i, volume] of volumes.entries())
    if (i > 0) requireSameGrid(volumes[0]!, volume, files[0]!, files[i]!);
  return volumes;
}

/**
 * Reads and preprocesses the channels of a case; nothing is written.
 * @param files one a channel, all on the same grid
 * @throws FormatError, GeometryError, DataError or IoError, each naming the file
 */
export async function preprocessChannels(
  files: readonly string[],
  options: PreprocessOptions,
): Promise<ChannelCase> {
  const volumes = await readChannels(files, options);
  const [first] = volumes;
  if (!first)
    throw new DataError("ERR_VOXELSPARK_EMPTY", "a case has 0 channel files, needed is at least 1.");
  const found = options.crop === "nonzero" ? commonBox(volumes) : undefined;
  if (options.crop === "nonzero" && !found)
    throw new DataError(
      "ERR_VOXELSPARK_EMPTY",
      `${files.join(", ")}: all voxels are 0, nothing is left after cropping.`,
    );
  const { shape: source, header, geometry } = first;
  const crop: Box = found ?? { start: [0, 0, 0], end: source };
  const cropped = crop.end.map((e, a) => e - crop.start[a]!) as Vector3;
  const current = reversed(geometry.spacing);
  const target = (options.spacing ?? current) as Vector3;
  const warnings = volumes.flatMap((volume) => volume.warnings);
  let data = new Float32Array(0);
  let stored = cropped;
  for (const [c, file] of files.entries()) {
    const values = cut(volumes[c]!.data, source, crop);
    volumes[c] = undefined as never; // its memory is needed for what follows
    const { mean, std } = moments(values);
    if (std < STD_FLOOR) warnings.push(`${file}: the channel is constant (${mean}) and becomes zeros.`);
    if (options.normalization === "zscore") normalise(values, mean, std);
    const result = await resampled(values, cropped, current, target, options);
    stored = result.shape;
    if (c === 0)
      data =
        files.length === 1 ? (result.data as never) : new Float32Array(files.length * result.data.length);
    if (files.length > 1) data.set(result.data, c * result.data.length);
  }
  return {
    data,
    shapes: { source, cropped, stored },
    crop,
    spacing: { source: current, stored: [...target] },
    header,
    geometry,
    warnings,
  };
}
