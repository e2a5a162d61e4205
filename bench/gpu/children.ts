/** This program again, in processes of their own: what may hang, and what a tool watches. */
import { type ChildProcess, spawn } from "node:child_process";
import { join } from "node:path";

const running = new Set<ChildProcess>();
// Each child is led by a `timeout` of its own, which the limit of the stage does not reach.
process.once("SIGTERM", () => {
  for (const child of running) child.kill("SIGTERM");
  setTimeout(() => process.exit(143), 200);
});

export interface Ended {
  code: number;
  /** stdout and stderr. */
  said: string;
  cutOff: boolean;
  seconds: number;
}

/**
 * `main.ts watched <what>`, stopped with everything that it started after some seconds.
 * @param tool a command that is to run it, e.g. a profiler's
 */
export function again(
  what: string,
  seconds: number,
  tool: readonly string[] = [],
  env: Record<string, string> = {},
): Promise<Ended> {
  const began = performance.now();
  const main = process.argv[1] ?? join(__dirname, "main.js");
  const program = [process.execPath, ...process.execArgv, main, "watched", what];
  const child = spawn("timeout", ["--kill-after=2", `${seconds}`, ...tool, ...program], {
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...process.env, ...env },
  });
  running.add(child);
  let said = "";
  for (const stream of [child.stdout, child.stderr])
    stream.on("data", (text) => {
      said = (said + text).slice(-4_000_000);
    });
  return new Promise((resolved, reject) => {
    child.on("error", reject);
    child.on("close", (status) => {
      running.delete(child);
      const code = status ?? -1;
      const cutOff = code === 124 || code === 137;
      resolved({ code, said, cutOff, seconds: (performance.now() - began) / 1e3 });
    });
  });
}
