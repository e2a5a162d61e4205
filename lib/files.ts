/**
 * The one way in which this package writes files: under a temporary name beside the target, flushed to the
 * disk, then renamed. A file of ours is therefore either complete or absent, whatever kills the process.
 */
import { createHash, type Hash, randomBytes } from "node:crypto";
import { constants, promises as fs, type Stats } from "node:fs";
import type { FileHandle } from "node:fs/promises";
import path from "node:path";
import { DataError, FormatError, IoError } from "./errors";

/** Content of a file: one piece, or pieces as they are made. */
export type FileContent = string | Uint8Array | AsyncIterable<Uint8Array> | Iterable<Uint8Array>;

export interface Written {
  bytes: number;
  sha256: string;
}

/** Names of unfinished files and folders match this. */
const TEMPORARY_NAME = /^\.tmp-\d+-[0-9a-f]{12}$/;
export const MAX_IO = 2 ** 30; // one read or write call moves less than 2 GiB on every platform

/** Writes `target` atomically and makes the folders above it. Returns size and hash of what was written. */
export async function writeFileAtomic(target: string, content: FileContent): Promise<Written> {
  const temporary = temporaryBeside(target);
  return guarded(target, "write", async () => {
    try {
      await makeFolder(path.dirname(target));
      const written = await writeFlushed(temporary, content);
      await fs.rename(temporary, target);
      await syncFolder(path.dirname(target));
      return written;
    } catch (error) {
      await fs.rm(temporary, { force: true }).catch(() => {}); // the first error is the one to report
      throw error;
    }
  });
}

/** Fails as writing `target` would, where that can be told before the work whose result it is to hold. */
export async function requireWritable(target: string): Promise<void> {
  const parent = path.dirname(target);
  await guarded(target, "write", async () => {
    if ((await fs.stat(target).catch(() => undefined))?.isDirectory())
      throw Object.assign(new Error("EISDIR"), { code: "EISDIR" });
    if (await exists(parent)) await fs.access(parent, constants.W_OK);
  });
}

/** Writes a value as indented JSON, atomically. */
export function writeJsonAtomic(target: string, value: unknown): Promise<Written> {
  return writeFileAtomic(target, `${JSON.stringify(value, null, 2)}\n`);
}

/**
 * Makes the folder `target` appear at once with everything that `fill` puts into the temporary folder that
 * it is given; `fill` writes with `writeFileFlushed` or `writeFileAtomic`. An older `target` is moved aside
 * first and deleted last: a crash between the two renames leaves no `target`, never a mixed one.
 */
export async function writeFolderAtomic<T>(
  target: string,
  fill: (temporary: string) => Promise<T>,
): Promise<T> {
  const temporary = temporaryBeside(target);
  try {
    await guarded(target, "create", () => makeFolder(temporary));
    const result = await fill(temporary);
    await guarded(target, "create", () => replaceFolder(temporary, target));
    return result;
  } catch (error) {
    await fs.rm(temporary, { recursive: true, force: true }).catch(() => {});
    throw error;
  }
}

async function replaceFolder(temporary: string, target: string): Promise<void> {
  await syncFolder(temporary);
  const old = temporaryBeside(target);
  const replaces = await exists(target);
  if (replaces) await fs.rename(target, old);
  try {
    await fs.rename(temporary, target);
  } catch (error) {
    if (replaces) await fs.rename(old, target);
    throw error;
  }
  await syncFolder(path.dirname(target));
  if (replaces) await fs.rm(old, { recursive: true, force: true });
}

/** Makes a folder and its parents; fine if it exists. */
export async function ensureFolder(folder: string): Promise<void> {
  await guarded(folder, "create folder", () => makeFolder(folder));
}

/** mkdir -p, which Node itself fails with ENOENT on a read-only volume: one folder at a time says what is wrong. */
async function makeFolder(folder: string): Promise<void> {
  try {
    await fs.mkdir(folder, { recursive: true });
  } catch (error) {
    if (codeOf(error) !== "ENOENT") throw error;
    const above = path.dirname(folder);
    if (!(await exists(above))) await makeFolder(above);
    await fs.mkdir(folder);
  }
}

/** Removes a folder that nothing was put into; does nothing otherwise. */
export async function removeIfEmpty(folder: string): Promise<void> {
  await fs.rmdir(folder).catch(() => {}); // refuses a folder with content
}

/**
 * Removes what a killed process left half-written in `folder`; returns the names. Call it only while holding
 * the folder's lock (lock.ts), since it cannot tell a live writer's file from a dead one's.
 */
export async function removeTemporary(folder: string): Promise<string[]> {
  const left = (await listFolder(folder)).filter((name) => TEMPORARY_NAME.test(name));
  for (const name of left) {
    const file = path.join(folder, name);
    await guarded(file, "remove", () => fs.rm(file, { recursive: true, force: true }));
  }
  return left;
}

/** Names in a folder, sorted; empty if it does not exist. */
export async function listFolder(folder: string): Promise<string[]> {
  return guarded(folder, "list", async () => {
    try {
      return (await fs.readdir(folder)).sort();
    } catch (error) {
      if (codeOf(error) === "ENOENT") return [];
      throw error;
    }
  });
}

export async function exists(file: string): Promise<boolean> {
  return (await fs.lstat(file).catch(() => undefined)) !== undefined;
}

/** A regular file of at most `maxBytes`. Never blocks on a pipe or device, never reads more than allowed. */
export async function readFileBounded(file: string, maxBytes: number): Promise<Buffer> {
  return guarded(file, "read", async () => {
    const { handle, stats } = await openRegular(file);
    try {
      if (stats.size > maxBytes) {
        const found = `${stats.size} bytes, at most ${maxBytes} are allowed here`;
        throw new FormatError("ERR_VOXELSPARK_TOO_LARGE", `${file} has ${found}.`);
      }
      return await readExactly(handle, file, 0, stats.size);
    } finally {
      await handle.close();
    }
  });
}

/** A UTF-8 text file of at most `maxBytes`. */
export async function readTextFile(file: string, maxBytes: number): Promise<string> {
  const bytes = await readFileBounded(file, maxBytes);
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch (cause) {
    throw new FormatError("ERR_VOXELSPARK_FORMAT", `${file} is not UTF-8 text.`, { cause });
  }
}

/** Opens a regular file for reading; refuses folders, pipes and devices without waiting on them. */
export async function openRegular(file: string): Promise<{ handle: FileHandle; stats: Stats }> {
  const handle = await guarded(file, "open", () =>
    fs.open(file, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0)),
  );
  const stats = await handle.stat();
  if (stats.isFile()) return { handle, stats };
  await handle.close();
  const kind = stats.isDirectory() ? "a folder" : "a pipe or device";
  throw new DataError("ERR_VOXELSPARK_DATA", `${file} is ${kind}, a regular file is needed.`);
}

/** `length` bytes at `position`; a file that ends before is TRUNCATED, never a short buffer. */
export async function readExactly(
  handle: FileHandle,
  file: string,
  position: number,
  length: number,
  into: Uint8Array = Buffer.allocUnsafeSlow(length),
): Promise<Buffer> {
  let done = 0;
  while (done < length) {
    const ask = Math.min(length - done, MAX_IO);
    const { bytesRead } = await guarded(file, "read", () => handle.read(into, done, ask, position + done));
    if (bytesRead === 0) {
      throw new FormatError(
        "ERR_VOXELSPARK_TRUNCATED",
        `${file} ends after ${position + done} bytes, ${position + length} were expected.`,
      );
    }
    done += bytesRead;
  }
  return Buffer.from(into.buffer, into.byteOffset, length);
}

export function sha256(content: string | Uint8Array): string {
  return createHash("sha256").update(content).digest("hex");
}

/** Hash of a file's content, read in pieces. */
export async function sha256File(file: string): Promise<string> {
  const { handle, stats } = await openRegular(file);
  try {
    const hash = createHash("sha256");
    const piece = Buffer.allocUnsafeSlow(Math.min(stats.size, 2 ** 22));
    for (let at = 0; at < stats.size; at += piece.length) {
      const length = Math.min(piece.length, stats.size - at);
      hash.update(await readExactly(handle, file, at, length, piece.subarray(0, length)));
    }
    return hash.digest("hex");
  } finally {
    await handle.close();
  }
}

/** Bytes free for this user on the volume of `folder`; undefined where the platform cannot tell. */
async function freeBytes(folder: string): Promise<number | undefined> {
  try {
    const { bavail, bsize } = await fs.statfs(folder);
    return bavail * bsize;
  } catch {
    return undefined;
  }
}

/** Runs a file operation; a refusal of the operating system becomes an IoError that names the path. */
export async function guarded<T>(file: string, action: string, operation: () => Promise<T>): Promise<T> {
  try {
    return await operation();
  } catch (error) {
    const code = codeOf(error);
    if (code === undefined || code.startsWith("ERR_")) throw error; // ours, Node's own, or not from the system
    throw await ioError(action, file, error);
  }
}

/** What the operating system refused, as a sentence with the path and the cure. */
export async function ioError(action: string, file: string, cause: unknown): Promise<IoError> {
  if (cause instanceof IoError) return cause;
  const code = codeOf(cause);
  let hint = "";
  if (code === "ENOSPC" || code === "EDQUOT") {
    hint = ` Free space there: ${(await freeBytes(path.dirname(file))) ?? "an unknown number of"} bytes. Make room or choose another folder.`;
  } else if (code === "EACCES" || code === "EPERM" || code === "EROFS") {
    hint = " Check the permissions of the folder or choose another one.";
  } else if (code === "EISDIR") {
    hint = " It is a folder, a file is needed.";
  }
  const reason = cause instanceof Error || code !== undefined ? (cause as Error).message : String(cause);
  return new IoError("ERR_VOXELSPARK_IO", `Cannot ${action} ${file}: ${reason}.${hint}`, { cause });
}

/** Flushes a folder's list of names, so that a rename survives a power cut. */
export async function syncFolder(folder: string): Promise<void> {
  const handle = await fs.open(folder, constants.O_RDONLY);
  try {
    await handle.sync();
  } catch (error) {
    // Some network file systems cannot flush folders; the rename itself is then all there is.
    if (!["EINVAL", "ENOTSUP", "EPERM", "EBADF"].includes(codeOf(error) ?? "")) throw error;
  } finally {
    await handle.close();
  }
}

/** Short, so that it fits wherever the target's name fits. */
export function temporaryBeside(target: string): string {
  return path.join(path.dirname(target), `.tmp-${process.pid}-${randomBytes(6).toString("hex")}`);
}

/** Writes and flushes one file of a folder that is itself still temporary. */
export function writeFileFlushed(file: string, content: FileContent): Promise<Written> {
  return guarded(file, "write", () => writeFlushed(file, content));
}

async function writeFlushed(file: string, content: FileContent): Promise<Written> {
  const handle = await fs.open(file, "w");
  try {
    const hash = createHash("sha256");
    let bytes = 0;
    for await (const piece of pieces(content)) {
      await writeAll(handle, piece, hash);
      bytes += piece.byteLength;
    }
    await handle.sync();
    return { bytes, sha256: hash.digest("hex") };
  } finally {
    await handle.close();
  }
}

async function writeAll(handle: FileHandle, piece: Uint8Array, hash: Hash): Promise<void> {
  for (let done = 0; done < piece.byteLength; ) {
    const part = piece.subarray(done, done + MAX_IO);
    const { bytesWritten } = await handle.write(part);
    hash.update(part.subarray(0, bytesWritten));
    done += bytesWritten;
  }
}

function pieces(content: FileContent): AsyncIterable<Uint8Array> | Iterable<Uint8Array> {
  if (typeof content === "string") return [Buffer.from(content)];
  return ArrayBuffer.isView(content) ? [content] : content;
}

function codeOf(error: unknown): string | undefined {
  const code = (error as NodeJS.ErrnoException | undefined)?.code;
  return typeof code === "string" ? code : undefined;
}
