/**
 * A training checkpoint is a folder `step-XXXXXXXX` with weights.safetensors, optimizer.safetensors and
 * state.json. It appears by one rename, so that it is complete or absent; state.json holds the sha256 of the
 * other two and of itself, so that later damage is found before anything is loaded.
 */
import { promises as fs } from "node:fs";
import path from "node:path";
import { isRecord } from "../arguments";
import { ArgumentRangeError, CheckpointError, DataError, FormatError } from "../errors";
import {
  guarded,
  listFolder,
  readTextFile,
  removeTemporary,
  sha256,
  sha256File,
  type Written,
  writeFileFlushed,
  writeFolderAtomic,
} from "../files";
import { JsonError, parseJson } from "../json";
import { openSafetensors, type SafetensorsFile, type TensorSource, writeSafetensors } from "./safetensors";

/** Everything that a run needs besides its tensors: random numbers and rates follow from these. */
export interface TrainState {
  /** Steps done; the next one has this number. */
  step: number;
  seed: number;
  /** The complete plan, as JSON. */
  plan: unknown;
  /** Whatever else the recipe keeps, e.g. the fingerprint of its data; JSON. */
  extra?: Readonly<Record<string, unknown>>;
}

export interface CheckpointTensors {
  weights: readonly TensorSource[];
  optimizer: readonly TensorSource[];
}

/** An open checkpoint, all hashes checked. Close it. */
export interface Checkpoint {
  folder: string;
  state: TrainState;
  weights: SafetensorsFile;
  optimizer: SafetensorsFile;
  close(): Promise<void>;
}

const FORMAT = "voxelspark-checkpoint";
const VERSION = 1;
const FILES = ["weights.safetensors", "optimizer.safetensors"] as const;
const STATE = "state.json";
const MAX_STATE_BYTES = 64 * 2 ** 20;
const FOLDER = /^step-(\d{8,16})$/;

function checkpointName(step: number): string {
  return `step-${String(step).padStart(8, "0")}`;
}

/**
 * Writes the checkpoint of `state.step` into a run folder and then removes the oldest beyond `keep`. The
 * caller holds the run's lock (`lockFolder`). Returns the folder.
 * @throws ArgumentRangeError, CheckpointError, IoError
 */
export async function saveCheckpoint(
  run: string,
  state: TrainState,
  tensors: CheckpointTensors,
  options: { keep?: number } = {},
): Promise<string> {
  if (!Number.isSafeInteger(state.step) || state.step < 0)
    throw new ArgumentRangeError(`step is ${state.step}, allowed are whole numbers from 0`);
  const target = path.join(run, checkpointName(state.step));
  await writeCheckpoint(target, state, tensors);
  if (options.keep !== undefined) await prune(run, state.step, options.keep);
  return target;
}

/** Writes a checkpoint as the folder `target`, whatever its name, in the place of an older one. */
export async function writeCheckpoint(
  target: string,
  state: TrainState,
  tensors: CheckpointTensors,
): Promise<void> {
  await writeFolderAtomic(target, async (folder) => {
    const metadata = { format: "pt", step: String(state.step) };
    const weights = await writeSafetensors(path.join(folder, FILES[0]), tensors.weights, metadata);
    const optimizer = await writeSafetensors(path.join(folder, FILES[1]), tensors.optimizer, metadata);
    await writeFileFlushed(path.join(folder, STATE), encodeState(state, [weights, optimizer]));
  });
}

/** Steps of the checkpoint folders in a run folder, oldest first; says nothing about their content. */
export async function checkpointSteps(run: string): Promise<number[]> {
  const steps = (await listFolder(run)).map((name) => FOLDER.exec(name)).filter((match) => match !== null);
  return steps.map((match) => Number(match[1])).sort((a, b) => a - b);
}

/**
 * Opens the newest checkpoint of a run. A damaged one is an error that lists the good ones, unless
 * `allowPrevious` says to go back to the newest good one. `skipped` tells what was passed over and why.
 * @throws CheckpointError when there is none, or none undamaged
 */
export async function openLatestCheckpoint(
  run: string,
  options: { allowPrevious?: boolean } = {},
): Promise<Checkpoint & { skipped: string[] }> {
  const steps = (await checkpointSteps(run)).reverse();
  if (steps.length === 0) {
    throw bad(
      run,
      `holds no checkpoint (a folder ${checkpointName(0)} or later), so there is nothing to resume`,
    );
  }
  const skipped: string[] = [];
  for (const step of steps) {
    try {
      return { ...(await openCheckpoint(path.join(run, checkpointName(step)))), skipped };
    } catch (error) {
      if (!isDamage(error)) throw error;
      skipped.push((error as Error).message);
      if (!options.allowPrevious) throw await withGoodOnes(run, error as Error, steps);
    }
  }
  throw bad(run, `holds no undamaged checkpoint:\n  ${skipped.join("\n  ")}\n `);
}

/** Opens one checkpoint folder after checking every hash in it. @throws CheckpointError when it is damaged */
export async function openCheckpoint(folder: string): Promise<Checkpoint> {
  const { state, files } = await readState(folder);
  const name = path.basename(path.resolve(folder));
  const named = FOLDER.exec(name);
  if (named !== null && Number(named[1]) !== state.step) {
    throw damaged(
      folder,
      `its ${STATE} is of step ${state.step}, the folder's name says ${Number(named[1])}`,
    );
  }
  for (const file of FILES) await checkFile(folder, file, files[file]!);
  const weights = await openSafetensors(path.join(folder, FILES[0]));
  try {
    const optimizer = await openSafetensors(path.join(folder, FILES[1]));
    const close = async () => void (await Promise.all([weights.close(), optimizer.close()]));
    return { folder, state, weights, optimizer, close };
  } catch (error) {
    await weights.close();
    throw error;
  }
}

/** Removes what a killed run left half-written, and checkpoints newer than `step`. Needs the run's lock. */
export async function cleanRun(run: string, step = Number.POSITIVE_INFINITY): Promise<void> {
  await removeTemporary(run);
  for (const newer of (await checkpointSteps(run)).filter((s) => s > step))
    await removeCheckpoint(run, newer);
}

/** Throws unless a file holds exactly these tensors with these shapes; the message lists every difference. */
export function requireTensors(
  file: SafetensorsFile,
  wanted: readonly { name: string; shape: readonly number[] }[],
): void {
  const shape = (s: readonly number[]) => `[${s.join(", ")}]`;
  const names = new Set(wanted.map(({ name }) => name));
  const missing = wanted
    .filter(({ name }) => !file.has(name))
    .map((w) => `missing ${w.name} ${shape(w.shape)}`);
  const unexpected = file.tensors
    .filter(({ name }) => !names.has(name))
    .map((t) => `unexpected ${t.name} ${shape(t.shape)}`);
  const different = wanted
    .filter((w) => file.has(w.name) && shape(file.entry(w.name).shape) !== shape(w.shape))
    .map((w) => `${w.name} has shape ${shape(file.entry(w.name).shape)}, the model needs ${shape(w.shape)}`);
  const all = [...missing, ...unexpected, ...different];
  if (all.length === 0) return;
  const shown = all.slice(0, 20);
  if (all.length > shown.length) shown.push(`and ${all.length - shown.length} more`);
  throw bad(file.path, `does not fit the model:\n  ${shown.join("\n  ")}\n `);
}

interface StoredState {
  state: TrainState;
  files: Record<string, Written>;
}

function encodeState(state: TrainState, [weights, optimizer]: readonly [Written, Written]): string {
  const { step, seed, plan, extra = {} } = state;
  const files = { [FILES[0]]: weights, [FILES[1]]: optimizer };
  const body = { format: FORMAT, formatVersion: VERSION, step, seed, files, extra, plan };
  return `${JSON.stringify({ sha256: sha256(JSON.stringify(body)), ...body }, null, 2)}\n`;
}

async function readState(folder: string): Promise<StoredState> {
  const file = path.join(folder, STATE);
  const { sha256: hash, ...body } = await parseState(file);
  if (body.format !== FORMAT && hash === undefined) {
    throw bad(
      file,
      `is not of a voxelspark checkpoint: its format is ${JSON.stringify(body.format) ?? "not given"}`,
    );
  }
  if (hash !== sha256(JSON.stringify(body))) throw damaged(file, "its content does not match its own sha256");
  if (body.formatVersion !== VERSION) {
    const version = JSON.stringify(body.formatVersion);
    throw bad(
      file,
      `has format version ${version}, this release reads ${VERSION}; use the release that wrote it`,
    );
  }
  const { step, seed, plan, extra, files } = body as unknown as TrainState & {
    files: Record<string, Written>;
  };
  return { state: { step, seed, plan, extra }, files };
}

async function parseState(file: string): Promise<Record<string, unknown>> {
  try {
    const json = parseJson(await readTextFile(file, MAX_STATE_BYTES));
    if (isRecord(json)) return json;
    throw new JsonError("not a JSON object");
  } catch (error) {
    if (error instanceof JsonError) throw damaged(file, `cannot be read: ${error.message}`);
    const absent = ["ENOENT", "ENOTDIR"].includes(
      ((error as Error).cause as NodeJS.ErrnoException)?.code ?? "",
    );
    if (absent || error instanceof FormatError || error instanceof DataError) {
      throw damaged(file, absent ? "is missing" : (error as Error).message, error);
    }
    throw error; // the operating system's refusal is not damage
  }
}

async function checkFile(folder: string, name: string, expected: Written): Promise<void> {
  const file = path.join(folder, name);
  const stats = await fs.stat(file).catch(() => undefined);
  if (stats === undefined) throw damaged(file, "is missing");
  if (stats.size !== expected.bytes)
    throw damaged(file, `has ${stats.size} bytes, ${expected.bytes} were written`);
  if ((await sha256File(file)) !== expected.sha256)
    throw damaged(file, "its content does not match the sha256 in state.json");
}

async function prune(run: string, step: number, keep: number): Promise<void> {
  const older = (await checkpointSteps(run)).filter((s) => s < step);
  for (const old of older.slice(0, Math.max(0, older.length - (keep - 1)))) await removeCheckpoint(run, old);
}

/** Renamed first: a kill half-way through the removal must not leave a folder that looks damaged. */
async function removeCheckpoint(run: string, step: number): Promise<void> {
  const folder = path.join(run, checkpointName(step));
  const doomed = path.join(run, `.tmp-${process.pid}-${sha256(folder).slice(0, 12)}`);
  await guarded(folder, "remove", async () => {
    await fs.rm(doomed, { recursive: true, force: true });
    await fs.rename(folder, doomed);
    await fs.rm(doomed, { recursive: true, force: true });
  });
}

async function withGoodOnes(run: string, cause: Error, steps: readonly number[]): Promise<CheckpointError> {
  const good: string[] = [];
  for (const step of steps) {
    const opened = await openCheckpoint(path.join(run, checkpointName(step))).catch(() => undefined);
    if (opened === undefined) continue;
    good.push(checkpointName(step));
    await opened.close();
  }
  const cure =
    good.length > 0
      ? `Undamaged: ${good.join(", ")}; allow going back to resume from the newest.`
      : "No other one is undamaged.";
  return new CheckpointError((cause as CheckpointError).code, `${cause.message} ${cure}`, { cause });
}

function isDamage(error: unknown): boolean {
  return error instanceof CheckpointError && error.code === "ERR_VOXELSPARK_CHECKSUM";
}

function damaged(file: string, what: string, cause?: unknown): CheckpointError {
  return new CheckpointError("ERR_VOXELSPARK_CHECKSUM", `${file}: ${what}.`, { cause });
}

function bad(file: string, what: string): CheckpointError {
  return new CheckpointError("ERR_VOXELSPARK_CHECKPOINT", `${file}: ${what}.`);
}
