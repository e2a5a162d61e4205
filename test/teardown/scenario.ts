import { spawn } from "node:child_process";
import { join } from "node:path";

export interface Ended {
  code: number | null;
  signal: NodeJS.Signals | null;
  stderr: string;
}

/** One of child.cjs, in a process of its own. */
export function run(scenario: string, cycles: number): Promise<Ended> {
  const child = spawn(process.execPath, [join(__dirname, "child.cjs"), scenario, String(cycles)]);
  let stderr = "";
  child.stderr.on("data", (text) => {
    stderr += text;
  });
  return new Promise((resolve) => child.on("close", (code, signal) => resolve({ code, signal, stderr })));
}
