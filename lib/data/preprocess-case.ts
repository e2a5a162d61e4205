/** One image into the folder of cases, unless the case there is current. Runs in any thread. */
import { stat } from "node:fs/promises";
import { DataError, VoxelsparkError } from "../errors";
import { ioError, sha256File } from "../files";
import { StoredCase, writeCase } from "./case-store";
import { type PreprocessOptions, preprocessImage } from "./preprocess-image";
import type { ImageCase } from "./sources";

export interface CaseOutcome {
  /** "done": made now; "current": was up to date. */
  status: "done" | "current";
  warnings: readonly string[];
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

/** Throws a VoxelsparkError that names the file. */
export async function preprocessCase(
  folder: string,
  image: ImageCase,
  options: PreprocessOptions,
): Promise<CaseOutcome> {
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
  try {
    const { data, properties } = await preprocessImage(image, source, options);
    await writeCase(folder, data, properties);
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
