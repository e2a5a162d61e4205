/**
 * One process at a time in a run folder. Each contender creates a file whose *name* says who it is, then
 * looks for others: whoever sees another live one steps back. Since a process announces itself before it
 * looks, two can never both believe they are alone; since no name is used twice, anyone may delete the file
 * of a dead process without hitting a live one's. Works wherever file names appear at once.
 */
import { randomBytes } from "node:crypto";
import { promises as fs, readFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { VoxelsparkError } from "./errors";
import { ensureFolder, guarded, listFolder } from "./files";

export interface FolderLock {
  readonly folder: string;
  /** Gives the folder back; more than once is fine. */
  release(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

interface Owner {
  host: string;
  pid: number;
  /** Start time of the process in clock ticks (Linux), 0 elsewhere: tells a reused pid from the owner. */
  started: number;
}

const NAME = /^\.lock-([A-Za-z0-9._-]+)-(\d+)-(\d+)-[0-9a-f]{12}$/;
const HOST = os.hostname().replace(/[^A-Za-z0-9._-]/g, "_") || "host";
const ATTEMPTS = 8;

/**
 * Takes the folder for this process; makes it if needed. A live holder is an error with its pid and host;
 * locks of dead processes of this machine are removed.
 * @throws VoxelsparkError (LOCKED) that names the holder; IoError
 */
export async function lockFolder(folder: string): Promise<FolderLock> {
  await ensureFolder(folder);
  let holder: { file: string; owner: Owner } | undefined;
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    if (attempt > 0) await new Promise((resolve) => setTimeout(resolve, 10 + Math.random() * 50 * attempt));
    holder = await otherHolder(folder, undefined);
    if (holder !== undefined) continue;
    const name = `.lock-${HOST}-${process.pid}-${startTime(process.pid)}-${randomBytes(6).toString("hex")}`;
    const file = path.join(folder, name);
    await guarded(file, "create", async () => (await fs.open(file, "wx")).close());
    holder = await otherHolder(folder, name);
    if (holder === undefined) return makeLock(folder, file);
    await fs.rm(file, { force: true });
  }
  const { owner, file } = holder!;
  const cure =
    owner.host === HOST
      ? "wait for it to end"
      : `if that process has ended, delete ${file}; this machine cannot tell`;
  throw new VoxelsparkError(
    "ERR_VOXELSPARK_LOCKED",
    `${folder} is in use by process ${owner.pid} on ${owner.host}; ${cure}.`,
  );
}

function makeLock(folder: string, file: string): FolderLock {
  const release = () => guarded(file, "remove", () => fs.rm(file, { force: true }));
  return { folder, release, [Symbol.asyncDispose]: release };
}

/** A live lock other than `mine`; removes those of the dead on the way. */
async function otherHolder(folder: string, mine: string | undefined) {
  for (const name of await listFolder(folder)) {
    const owner = name === mine ? undefined : ownerOf(name);
    if (owner === undefined) continue;
    const file = path.join(folder, name);
    if (isAlive(owner)) return { file, owner };
    await fs.rm(file, { force: true });
  }
  return undefined;
}

function ownerOf(name: string): Owner | undefined {
  const match = NAME.exec(name);
  return match === null ? undefined : { host: match[1]!, pid: Number(match[2]), started: Number(match[3]) };
}

function isAlive({ host, pid, started }: Owner): boolean {
  if (host !== HOST) return true; // cannot be known from here
  try {
    process.kill(pid, 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ESRCH") return false; // EPERM: alive, of another user
  }
  const now = startTime(pid);
  return now !== "dead" && (started === 0 || now === 0 || now === started);
}

function startTime(pid: number): number | "dead" {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" "); // the name in brackets may hold spaces
    return fields[0] === "Z" ? "dead" : Number(fields[19]); // killed but not yet waited for; field 22 of proc(5)
  } catch {
    return 0;
  }
}
