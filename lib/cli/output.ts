/** What commands say: results as JSON on stdout if asked, everything else on stderr, bars on a terminal only. */
import { Presets, SingleBar } from "cli-progress";

/** Wrong use of the command line: exit code 2. */
export class UsageError extends Error {
  readonly code = "ERR_VOXELSPARK_USAGE";
}

export function log(text: string): void {
  process.stderr.write(`${text}\n`);
}

/** Says what went wrong and returns the exit code: a sentence where it is an error of ours, else a stack. */
export function tell(error: unknown): number {
  const { code, message, stack } = error as { code?: string; message: string; stack?: string };
  const known = code?.startsWith("ERR_VOXELSPARK_") && code !== "ERR_VOXELSPARK_INTERNAL";
  log(`error: ${known ? `${message} [${code}]` : stack}`);
  if (!(error instanceof UsageError)) return 1;
  log("Run `voxelspark --help` or `voxelspark <command> --help` for what is allowed.");
  return 2;
}

/** One JSON document on stdout. */
export function printJson(value: unknown): void {
  process.stdout.write(`${JSON.stringify(value, null, 2)}\n`);
}

export interface Progress {
  update(done: number, note?: string): void;
  stop(): void;
}

/** A bar on a terminal; elsewhere a line for every tenth of the work, so that logs stay readable. */
export function progress(title: string, total: number, done = 0): Progress {
  return process.stderr.isTTY ? bar(title, total, done) : lines(title, total, done);
}

/**
 * Drives a generator to its end under a bar that appears with the first step.
 * @param note what to show beside the bar after a step
 * @returns what the generator returns
 */
export async function underBar<S extends { done: number; total: number }, R>(
  title: string,
  steps: AsyncGenerator<S, R>,
  note: (step: S) => string = () => "",
): Promise<R> {
  let shown: Progress | undefined;
  try {
    for (;;) {
      const next = await steps.next();
      if (next.done) return next.value;
      shown ??= progress(title, next.value.total);
      shown.update(next.value.done, note(next.value));
    }
  } finally {
    shown?.stop();
  }
}

function bar(title: string, total: number, done: number): Progress {
  const shown = new SingleBar(
    {
      format: `${title} {bar} {percentage}% | {value}/{total} | {eta_formatted} left | {note}`,
      stream: process.stderr,
      noTTYOutput: false,
    },
    process.env.NO_COLOR ? Presets.legacy : Presets.shades_classic,
  );
  shown.start(total, done, { note: "" });
  return {
    update: (done, note = "") => shown.update(done, { note }),
    stop: () => shown.stop(),
  };
}

function lines(title: string, total: number, start: number): Progress {
  const tenthOf = (done: number) => Math.floor((10 * done) / Math.max(total, 1));
  let tenth = tenthOf(start);
  return {
    update(done, note = "") {
      const now = tenthOf(done);
      if (now <= tenth) return;
      tenth = now;
      log(`${title}: ${done}/${total}${note ? ` | ${note}` : ""}`);
    },
    stop() {},
  };
}

/** Seconds as a person says them. */
export function duration(seconds: number): string {
  if (seconds < 60) return `${seconds.toFixed(1)} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ${Math.round(seconds % 60)} s`;
  return `${Math.floor(seconds / 3600)} h ${Math.round((seconds % 3600) / 60)} min`;
}

/** Bytes in the binary units that memory is sold in. */
export function bytes(count: number): string {
  if (count < 2 ** 20) return `${(count / 2 ** 10).toFixed(1)} KiB`;
  return count < 2 ** 30 ? `${(count / 2 ** 20).toFixed(1)} MiB` : `${(count / 2 ** 30).toFixed(2)} GiB`;
}
