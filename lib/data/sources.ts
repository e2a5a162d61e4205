/**
 * Finds the images of a pre-training set: a folder searched recursively, a BIDS tree, one file, or nnssl's
 * `pretrain_data.json` (method.md 6.1). All offenders of an input are reported in one error.
 */
import type { Dirent } from "node:fs";
import { readdir, realpath, stat } from "node:fs/promises";
import { basename, dirname, join, relative, resolve, sep } from "node:path";
import { DataError } from "../errors";
import { ioError } from "../files";
import type { LabelScheme } from "../labels";
import { readPretrainJson } from "./pretrain-json";

export interface ImageCase {
  /** Unique in the set, safe as a file name. */
  readonly id: string;
  /** Absolute path of the image. */
  readonly path: string;
  readonly modality?: string;
  /** Images of one subject share this name; splits must not part them. */
  readonly subject?: string;
  readonly masks?: { readonly anonymization?: string; readonly anatomy?: string };
  /** Files of the channels after the first, in their order. */
  readonly further?: readonly string[];
  /** Label map on the image's grid, and what its values mean. */
  readonly label?: { readonly path: string; readonly scheme: LabelScheme };
}

export const NIFTI_NAME = /\.nii(\.gz)?$/i;
/** Case and channel of a file name without its ending, by nnU-Net's convention. */
export const CHANNEL_NAME = /^(.+)_(\d{4})$/;
const MOST_CHANNELS = 32;
const BIDS_IMAGE = /^(sub-[A-Za-z0-9]+)_.*?([A-Za-z0-9]+)\.nii(\.gz)?$/;
// BIDS suffixes in anat/ that are label maps, masks or transforms and no images.
const BIDS_NO_IMAGE = new Set(["mask", "defacemask", "dseg", "probseg", "roi", "xfm"]);

function fail(sentence: string): never {
  throw new DataError("ERR_VOXELSPARK_DATA", sentence);
}

/** A file name without .nii or .nii.gz. */
export function stem(name: string): string {
  return name.replace(NIFTI_NAME, "");
}

interface Found {
  files: string[];
  offenders: string[];
}

/** What a directory entry is, links followed; undefined for a link to nowhere. */
export async function kindOfEntry(
  path: string,
  entry: Dirent,
): Promise<"file" | "folder" | "other" | undefined> {
  if (entry.isFile()) return "file";
  if (entry.isDirectory()) return "folder";
  if (!entry.isSymbolicLink()) return "other";
  const target = await stat(path).catch(() => undefined);
  return target && (target.isFile() ? "file" : target.isDirectory() ? "folder" : "other");
}

/** All NIfTI files below a folder in sorted order. Each real folder is entered once, so links cannot loop. */
async function walk(folder: string, found: Found, seen: Set<string>): Promise<void> {
  const real = await realpath(folder);
  if (seen.has(real)) return;
  seen.add(real);
  const entries = await readdir(folder, { withFileTypes: true }).catch(async (error) => {
    throw await ioError("list", folder, error);
  });
  entries.sort((a, b) => (a.name < b.name ? -1 : 1));
  for (const entry of entries) {
    if (entry.name.startsWith(".")) continue;
    const path = join(folder, entry.name);
    const kind = await kindOfEntry(path, entry);
    if (NIFTI_NAME.test(entry.name)) {
      if (kind === "file") found.files.push(path);
      else
        found.offenders.push(
          `${path} (${kind === "folder" ? "a folder" : kind ? "no regular file" : "a link to nowhere"})`,
        );
    } else if (kind === "folder") {
      await walk(path, found, seen);
    }
  }
}

async function search(folder: string): Promise<string[]> {
  const found: Found = { files: [], offenders: [] };
  await walk(folder, found, new Set());
  if (found.offenders.length > 0) {
    fail(
      `${folder}: ${found.offenders.length} entries named like NIfTI files are none: ${list(found.offenders)}.`,
    );
  }
  return found.files;
}

/** The first items of a list and how many more there are. */
export function list(items: readonly string[], separator = ", "): string {
  const first = items.slice(0, 20).join(separator);
  return items.length > 20 ? `${first} and ${items.length - 20} more` : first;
}

async function isBids(folder: string): Promise<boolean> {
  const entries = await readdir(folder, { withFileTypes: true });
  if (entries.some((entry) => entry.name === "dataset_description.json")) return true;
  for (const entry of entries.filter((e) => /^sub-[A-Za-z0-9]+$/.test(e.name))) {
    const inside = await readdir(join(folder, entry.name)).catch(() => []);
    if (inside.some((name) => name === "anat" || name.startsWith("ses-"))) return true;
  }
  return false;
}

/** `sub-*` / [`ses-*` /] `anat` images of a BIDS tree; the modality is the file's suffix, e.g. T1w. */
async function bidsCases(folder: string): Promise<ImageCase[]> {
  const files = await search(folder);
  const cases: ImageCase[] = [];
  for (const path of files) {
    const parts = relative(folder, path).split(sep);
    const match = BIDS_IMAGE.exec(basename(path));
    if (!parts[0]!.startsWith("sub-") || parts.at(-2) !== "anat" || !match) continue;
    if (BIDS_NO_IMAGE.has(match[2]!)) continue;
    cases.push({ id: stem(basename(path)), path, modality: match[2]!, subject: match[1]! });
  }
  return cases;
}

/** A labelled data set as a whole: its label maps must not pass as images. */
async function refuseRawLayout(folder: string, input: string): Promise<void> {
  const names = await readdir(folder);
  if (names.includes("dataset.json") && names.includes("imagesTr"))
    fail(
      `${input} is a data set in nnU-Net's raw layout, whose label maps are no images; name ${join(input, "imagesTr")}.`,
    );
}

/** Folders whose numbered files are channels: they begin with 0000 and are few, unlike other images that are numbered. */
function channelFolders(files: readonly string[]): Set<string> {
  const numbers = new Map<string, number[]>();
  for (const path of files) {
    const channel = CHANNEL_NAME.exec(stem(basename(path)))?.[2];
    if (channel === undefined) continue;
    const found = numbers.get(dirname(path)) ?? [];
    found.push(Number(channel));
    numbers.set(dirname(path), found);
  }
  const few = (found: number[]) => found.includes(0) && found.every((n) => n < MOST_CHANNELS);
  return new Set([...numbers].filter(([, found]) => few(found)).map(([folder]) => folder));
}

/** Of nnU-Net's channel files every one is an image, and those of a case have one subject. */
async function folderCases(folder: string): Promise<ImageCase[]> {
  const files = await search(folder);
  const channels = channelFolders(files);
  return files.map((path) => {
    const id = stem(relative(folder, path)).split(sep).join("__");
    const subject = channels.has(dirname(path)) ? CHANNEL_NAME.exec(id)?.[1] : undefined;
    return { id, path, subject: subject ?? id };
  });
}

/** Two names that a case-insensitive disk cannot hold side by side count as one. */
function requireUnique(cases: ImageCase[], input: string): void {
  const paths = new Map<string, string[]>();
  for (const { id, path } of cases) {
    const key = id.toLowerCase();
    paths.set(key, [...(paths.get(key) ?? []), path]);
  }
  const clashes = [...paths].filter(([, same]) => same.length > 1);
  if (clashes.length > 0) {
    const lines = clashes.map(([id, same]) => `${id}: ${same.join(" and ")}`);
    fail(
      `${input}: ${clashes.length} case names are used twice; rename or remove one of each. ${list(lines)}.`,
    );
  }
}

/** Names become file names: no separators, no control characters, no "..", at most 200 bytes. */
function requireSafe(cases: ImageCase[], input: string): void {
  const bad = cases.map((c) => c.id).filter((id) => !isSafeName(id));
  if (bad.length > 0) {
    fail(
      `${input}: ${bad.length} case names cannot be file names (no / \\ : or control characters, no leading dot, ` +
        `at most 200 bytes): ${list(bad.map((id) => JSON.stringify(id.slice(0, 80))))}.`,
    );
  }
}

export function isSafeName(id: string): boolean {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is refused here
  return id !== "" && !/[/\\:\x00-\x1f]/.test(id) && !id.startsWith(".") && Buffer.byteLength(id) <= 200;
}

/**
 * Lists the images of `input`: a NIfTI file, a folder (BIDS trees are recognised), or a pretrain_data.json.
 * Sorted by id. Throws DataError for an empty input, clashing or unsafe names and entries that are no files.
 */
export async function findCases(input: string): Promise<ImageCase[]> {
  const root = resolve(input);
  const info = await stat(root).catch(async (error) => {
    throw await ioError("read", input, error);
  });
  let cases: ImageCase[];
  if (info.isDirectory()) {
    await refuseRawLayout(root, input);
    cases = (await isBids(root)) ? await bidsCases(root) : await folderCases(root);
  } else if (!info.isFile()) {
    fail(`${input} is no regular file; a folder, a NIfTI file or a pretrain_data.json is needed.`);
  } else if (/\.json$/i.test(root)) {
    cases = await readPretrainJson(root);
  } else if (NIFTI_NAME.test(root)) {
    cases = [{ id: stem(basename(root)), path: root, subject: stem(basename(root)) }];
  } else {
    fail(`${input}: a folder, a .nii or .nii.gz file, or a pretrain_data.json is needed.`);
  }
  if (cases.length === 0) {
    throw new DataError(
      "ERR_VOXELSPARK_EMPTY",
      `${input} holds no images: no .nii or .nii.gz file was found.`,
    );
  }
  requireUnique(cases, input);
  requireSafe(cases, input);
  return cases.sort((a, b) => (a.id < b.id ? -1 : 1));
}
