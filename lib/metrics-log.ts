/**
 * `metrics.jsonl`: one JSON object a line, appended as training goes. A kill can tear at most the last line;
 * opening the log again drops a torn end and everything of steps that will be computed once more.
 */
import { promises as fs } from "node:fs";
import type { FileHandle } from "node:fs/promises";
import { FormatError } from "./errors";
import { exists, guarded, openRegular, readExactly } from "./files";

/** One line. Numbers that JSON cannot hold (NaN, ±Infinity) are written as null. */
export interface Metrics {
  /** Steps done when the line was written. */
  step: number;
  [name: string]: number | string | boolean | null;
}

/** A log that is open for appending. Close it. */
export class MetricsLog {
  private constructor(
    readonly file: string,
    private readonly handle: FileHandle,
  ) {}

  /**
   * Opens a log for appending. Entries beyond `resumeStep` are cut off, a torn last line too; without it an
   * existing log is emptied.
   */
  static async open(file: string, resumeStep?: number): Promise<MetricsLog> {
    const end = resumeStep === undefined || !(await exists(file)) ? 0 : await endOf(file, resumeStep);
    return guarded(file, "open", async () => {
      const handle = await fs.open(file, "a");
      try {
        await handle.truncate(end);
        await handle.sync();
      } catch (error) {
        await handle.close();
        throw error;
      }
      return new MetricsLog(file, handle);
    });
  }

  /** Adds a line; it survives the death of this process at once, and a power cut after `sync`. */
  async append(metrics: Metrics): Promise<void> {
    const line = Buffer.from(`${JSON.stringify(metrics)}\n`);
    await guarded(this.file, "append to", () => this.handle.appendFile(line));
  }

  /** Flushes to the disk; called when a checkpoint is written. */
  async sync(): Promise<void> {
    await guarded(this.file, "flush", () => this.handle.sync());
  }

  async close(): Promise<void> {
    await this.handle.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

/** Every complete entry of a log, oldest first; a torn last line is left out. */
export async function readMetrics(file: string): Promise<Metrics[]> {
  const entries: Metrics[] = [];
  for await (const { metrics } of lines(file)) entries.push(metrics);
  return entries;
}

/** Byte behind the last entry of a step not beyond `lastStep`. */
async function endOf(file: string, lastStep: number): Promise<number> {
  let end = 0;
  for await (const line of lines(file)) {
    if (line.metrics.step > lastStep) break;
    end = line.end;
  }
  return end;
}

async function* lines(file: string): AsyncGenerator<{ metrics: Metrics; end: number }> {
  const { handle, stats } = await openRegular(file);
  try {
    let rest = Buffer.alloc(0);
    let end = 0;
    let number = 0;
    for (let at = 0; at < stats.size; ) {
      const length = Math.min(2 ** 20, stats.size - at);
      rest = Buffer.concat([rest, await readExactly(handle, file, at, length)]);
      at += length;
      for (let newline = rest.indexOf(10); newline >= 0; newline = rest.indexOf(10)) {
        end += newline + 1;
        yield { metrics: parseLine(file, ++number, rest.subarray(0, newline).toString()), end };
        rest = rest.subarray(newline + 1);
      }
    }
  } finally {
    await handle.close();
  }
}

function parseLine(file: string, number: number, text: string): Metrics {
  try {
    const value = JSON.parse(text) as Metrics;
    if (Number.isInteger(value?.step)) return value;
  } catch {
    // told below
  }
  const shown = text.length > 60 ? `${text.slice(0, 57)}...` : text;
  throw new FormatError(
    "ERR_VOXELSPARK_FORMAT",
    `${file}, line ${number}: a JSON object with a whole "step" is needed, found ${JSON.stringify(shown)}.`,
  );
}
