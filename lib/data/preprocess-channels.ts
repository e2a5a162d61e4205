/** The channels of one case, a file each, through the steps of method.md §6.3: one crop for all, a z-score for each. */
import { DataError } from "../errors";
import type { Vector3 } from "./geometry";
import type { NiftiHeader } from "./nifti-header";
import {
  type Preprocessed,
  type PreprocessOptions,
  preprocessVolumes,
  readCase,
  reversed,
} from "./preprocess-image";

/** A preprocessed case and how it lies in the grid of its files. Triples are (z, y, x). */
export interface ChannelCase extends Omit<Preprocessed, "spacing"> {
  /** Voxel size in mm: of the files, and of `data`. */
  readonly spacing: { readonly source: Vector3; readonly stored: Vector3 };
  /** Of the first file. */
  readonly header: NiftiHeader;
}

/**
 * Reads and preprocesses the channels of a case; nothing is written.
 * @param files one a channel, all on the same grid
 * @throws FormatError, GeometryError, DataError or IoError naming every file that is at fault
 */
export async function preprocessChannels(
  files: readonly string[],
  options: PreprocessOptions,
): Promise<ChannelCase> {
  const [path, ...further] = files;
  if (path === undefined)
    throw new DataError("ERR_VOXELSPARK_EMPTY", "a case has 0 channel files, needed is at least 1.");
  const { channels } = await readCase({ id: path, path, further }, options);
  const { header, geometry } = channels[0]!;
  const made = await preprocessVolumes(channels, files, options);
  return { ...made, header, spacing: { source: reversed(geometry.spacing), stored: made.spacing } };
}
