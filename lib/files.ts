/**
 * Atomic files: whatever the program writes appears whole under its name or not at all. A temporary
 * neighbour is written, flushed to the disk and renamed; a failure removes it and names the path.
 */
import { randomBytes } from "node:crypto";
import { type FileHandle, mkdir, open, rename, rm, statfs } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { IoError } from "./errors";

export type FileContent = string | Uint8Array | Iterable<Uint8Array> | AsyncIterable<Uint8Array>;

/** Names of unfinished files and folders match this; they may be deleted when their writer is gone. */
export const TEMPORARY_NAME = /^\.(.+)\.tmp-\d+-[0-9a-f]{8}$/;

function temporaryName(path: string): string {
  return join(dirname(path), `.${basename(path)}.tmp-${process.pid}-${randomBytes(4).toString("hex")}`);
}

/** Wraps what the operating system refused into a sentence with the path and the cure. */
export async function ioError(action: string, path: string, cause: unknown): Promise<IoError> {
  if (cause instanceof IoError) return cause;
  const code = (cause as NodeJS.ErrnoException).code ?? String(cause);
  let hint = "";
  if (code === "ENOSPC" || code === "EDQUOT") {
    const free = await statfs(dirname(path)).then(
      (s) => `${s.bavail * s.bsize} bytes`,
      () => "unknown",
    );
    hint = ` Free space there: ${free}. Make room or choose another folder.`;
  } else if (code === "EACCES" || code === "EPERM" || code === "EROFS") {
    hint = " Check the permissions of the folder or choose another one.";
  }
  return new IoError("ERR_VOXELSPARK_IO", `Cannot ${action} ${path}: ${code}.${hint}`, { cause });
}

async function writeAll(handle: FileHandle, content: FileContent): Promise<void> {
  const parts = typeof content === "string" || content instanceof Uint8Array ? [content] : content;
  for await (const part of parts) {
    await handle.writeFile(part); // continues at the current position and repeats short writes
  }
}

/** Renames reach the disk only when their folder does. */
async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Writes and flushes one file of a folder that is itself still temporary. */
export async function writeFileFlushed(path: string, content: FileContent): Promise<void> {
  const handle = await open(path, "w");
  try {
    await writeAll(handle, content);
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Writes `content` to `path` atomically, making the folders above it. Throws IoError. */
export async function writeFileAtomic(path: string, content: FileContent): Promise<void> {
  const temporary = temporaryName(path);
  try {
    await mkdir(dirname(path), { recursive: true });
    await writeFileFlushed(temporary, content);
    await rename(temporary, path);
    await syncFolder(dirname(path));
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => {});
    throw await ioError("write", path, error);
  }
}

/**
 * Lets `fill` write into a temporary folder and then gives it the name `path`. An existing folder is moved
 * away first and deleted last; a crash between the two renames leaves no `path`, never a mixed one.
 */
export async function writeFolderAtomic(
  path: string,
  fill: (folder: string) => Promise<void>,
): Promise<void> {
  const temporary = temporaryName(path);
  const old = temporaryName(path);
  try {
    await mkdir(temporary, { recursive: true });
    await fill(temporary);
    await syncFolder(temporary);
    await rename(path, old).catch((error) => {
      if (error.code !== "ENOENT") throw error;
    });
    await rename(temporary, path);
    await syncFolder(dirname(path));
    await rm(old, { recursive: true, force: true });
  } catch (error) {
    await rm(temporary, { recursive: true, force: true }).catch(() => {});
    throw isSystemError(error) ? await ioError("write", path, error) : error;
  }
}

function isSystemError(error: unknown): boolean {
  return typeof (error as NodeJS.ErrnoException)?.syscall === "string";
}
