/** One image into the folder of cases, unless the case there is current. Runs in any thread. */
import { stat } from "node:fs/promises";
import { DataError, VoxelsparkError } from "../errors";
import { ioError, sha256File } from "../files";
import { type Source, StoredCase, writeCase } from "./case-store";
import { type PreprocessOptions, preprocessImage } from "./preprocess-image";
import type { ImageCase } from "./sources";

export interface CaseOutcome {
  /** "done": made now; "current": was up to date. */
  status: "done" | "current";
  warnings: readonly string[];
}

/** A file as it is now; its hash is known only where it was asked for. */
interface Found {
  readonly path: string;
  readonly bytes: number;
  readonly mtimeMs: number;
}

async function found(path: string): Promise<Found> {
  const info = await stat(path).catch(async (error) => {
    throw await ioError("read", path, error);
  });
  if (!info.isFile()) throw new DataError("ERR_VOXELSPARK_DATA", `${path} is no regular file.`);
  return { path, bytes: info.size, mtimeMs: info.mtimeMs };
}

async function hashed(file: Found): Promise<Source> {
  return { ...file, sha256: await sha256File(file.path) };
}

/** Whether a file is the one that a case was made from; also by content when only time or place differ. */
async function isSame(before: Source | undefined, now: Found): Promise<boolean> {
  if (before?.bytes !== now.bytes) return false;
  return (
    (before.mtimeMs === now.mtimeMs && before.path === now.path) ||
    before.sha256 === (await sha256File(now.path))
  );
}

/** Whether a stored case was made from these very files with these options. */
async function isCurrent(
  folder: string,
  image: ImageCase,
  files: readonly Found[],
  options: PreprocessOptions,
): Promise<boolean> {
  const stored = await StoredCase.open(folder, image.id).catch(() => undefined);
  if (!stored) return false;
  const { source, further = [], label, options: before, subject } = stored.properties;
  if (subject !== (image.subject ?? image.id)) return false;
  const sources = [source, ...further.map((channel) => channel.source), ...(label ? [label.source] : [])];
  if (JSON.stringify(before) !== JSON.stringify(options) || sources.length !== files.length) return false;
  if (JSON.stringify(label?.scheme) !== JSON.stringify(image.label?.scheme)) return false;
  await stored.checkLayout(); // a shard cut short by a full disk is redone
  for (const [i, file] of files.entries()) if (!(await isSame(sources[i], file))) return false;
  return true;
}

/** Throws a VoxelsparkError that names the file. */
export async function preprocessCase(
  folder: string,
  image: ImageCase,
  options: PreprocessOptions,
): Promise<CaseOutcome> {
  const { path, further = [], label } = image;
  const files: Found[] = [];
  for (const file of [path, ...further, ...(label ? [label.path] : [])]) files.push(await found(file));
  if (await isCurrent(folder, image, files, options).catch(() => false))
    return { status: "current", warnings: [] };
  try {
    const sources = await Promise.all(files.map(hashed));
    const channels = 1 + further.length;
    const of = { image: sources.slice(0, channels), ...(label ? { label: sources[channels] } : {}) };
    const { data, properties, locations } = await preprocessImage(image, of, options);
    await writeCase(folder, data, properties, sources.length, locations);
    return { status: "done", warnings: properties.warnings };
  } catch (error) {
    if (error instanceof VoxelsparkError || (error as Error).name !== "RangeError") throw error;
    // V8 refuses an allocation with a plain RangeError
    throw new DataError(
      "ERR_VOXELSPARK_DATA",
      `${image.path} does not fit into memory: ${(error as Error).message}.`,
      {
        cause: error,
      },
    );
  }
}
