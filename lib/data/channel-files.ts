/**
 * Cases to predict: channel files by nnU-Net's convention, `<case>_0000.nii.gz`, `<case>_0001.nii.gz`, …; a model of
 * one channel also takes images without the number.
 */
import { readdir, stat } from "node:fs/promises";
import { basename, join, resolve } from "node:path";
import { DataError } from "../errors";
import { ioError } from "../files";
import { CHANNEL_NAME, isSafeName, list, NIFTI_NAME } from "./sources";

export interface ChannelFiles {
  /** Safe as a file name. */
  readonly id: string;
  /** One a channel, in the model's order. */
  readonly files: readonly string[];
}

/** Files named as NIfTI images; of a folder those that lie directly in it. */
async function imagesOf(input: string): Promise<string[]> {
  const path = resolve(input);
  const info = await stat(path).catch(async (error) => {
    throw await ioError("read", input, error);
  });
  if (!info.isDirectory()) {
    if (NIFTI_NAME.test(path)) return [path];
    throw new DataError("ERR_VOXELSPARK_DATA", `${input} is no folder and no .nii or .nii.gz file.`);
  }
  const names = await readdir(path).catch(async (error) => {
    throw await ioError("list", input, error);
  });
  return names
    .filter((name) => NIFTI_NAME.test(name) && !name.startsWith("."))
    .sort()
    .map((name) => join(path, name));
}

/** Case and channel of a file's name. */
function meaning(path: string, channels: number): { id: string; channel: number } {
  const stem = basename(path).replace(NIFTI_NAME, "");
  const match = CHANNEL_NAME.exec(stem);
  if (match) return { id: match[1]!, channel: Number(match[2]) };
  return { id: stem, channel: channels === 1 ? 0 : Number.NaN };
}

/**
 * The cases of folders and files; those with missing, superfluous or repeated channels become sentences in `faults`.
 * @param channels names of the model's channels
 */
export async function collectChannelCases(
  inputs: readonly string[],
  channels: readonly string[],
  faults: string[],
): Promise<ChannelFiles[]> {
  const paths = [...new Set((await Promise.all(inputs.map(imagesOf))).flat())];
  const cases = new Map<string, { id: string; files: (string | undefined)[] }>();
  for (const path of paths) {
    const { id, channel } = meaning(path, channels.length);
    const key = id.toLowerCase(); // two names that a case-insensitive disk cannot hold side by side are one
    const found = cases.get(key) ?? { id, files: channels.map(() => undefined) };
    cases.set(key, found);
    if (!isSafeName(id)) faults.push(`${path}: ${JSON.stringify(id)} cannot be a file name`);
    else if (!(channel < channels.length))
      faults.push(
        `${path} ${Number.isNaN(channel) ? "has no channel number" : `is channel ${channel}`}, allowed are ` +
          channels.map((name, c) => `_${String(c).padStart(4, "0")} (${name})`).join(", "),
      );
    else if (found.files[channel]) faults.push(`${found.files[channel]} and ${path} are the same channel`);
    else found.files[channel] = path;
  }
  for (const { id, files } of cases.values())
    for (const [c, name] of channels.entries())
      if (!files[c] && files.some((file) => file))
        faults.push(`${id}: channel ${c} (${name}), ${id}_${String(c).padStart(4, "0")}.nii.gz, is missing`);
  return [...cases.values()].map(({ id, files }) => ({ id, files: files as string[] }));
}

/**
 * The cases of folders and files, sorted by id.
 * @param channels names of the model's channels
 * @throws DataError listing every case with missing, superfluous or repeated channels
 */
export async function findChannelCases(
  inputs: readonly string[],
  channels: readonly string[],
): Promise<ChannelFiles[]> {
  const faults: string[] = [];
  const cases = await collectChannelCases(inputs, channels, faults);
  if (faults.length > 0)
    throw new DataError(
      "ERR_VOXELSPARK_DATA",
      `${inputs.join(", ")}: ${faults.length} faults: ${list(faults, "; ")}.`,
    );
  if (cases.length === 0)
    throw new DataError("ERR_VOXELSPARK_EMPTY", `${inputs.join(", ")}: no .nii or .nii.gz file was found.`);
  return cases.sort((a, b) => (a.id < b.id ? -1 : 1));
}
