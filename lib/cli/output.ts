/** What commands say: results as JSON on stdout if asked, everything else on stderr, bars on a terminal only. */
import { Presets, SingleBar } from "cli-progress";

/** Wrong use of the command line: exit code 2. */
export class UsageError extends Error {
  readonly code = "ERR_VOXELSPARK_USAGE";
}

export function log(text: string): void {
  process.stderr.write(`${text}\n`);
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
export function progress(title: string, total: number): Progress {
  return process.stderr.isTTY ? bar(title, total) : lines(title, total);
}

function bar(title: string, total: number): Progress {
  const shown = new SingleBar(
    {
      format: `${title} {bar} {percentage}% | {value}/{total} | {eta_formatted} left | {note}`,
      stream: process.stderr,
      noTTYOutput: false,
    },
    process.env.NO_COLOR ? Presets.legacy : Presets.shades_classic,
  );
  shown.start(total, 0, { note: "" });
  return {
    update: (done, note = "") => shown.update(done, { note }),
    stop: () => shown.stop(),
  };
}

function lines(title: string, total: number): Progress {
  let tenth = 0;
  return {
    update(done, note = "") {
      const now = Math.floor((10 * done) / Math.max(total, 1));
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
