/** compute-sanitizer over the small suite: accesses, uninitialised reads, barriers, races of shared memory. */
import { spawn } from "node:child_process";
import { join } from "node:path";
import { type Part, requireGpu, StageFailure } from "../part";

const { findTool } = require("../../../native/toolkit.cjs") as { findTool(name: string): string | undefined };

/** This program again, under a tool; what it printed and how it ended. */
export function underTool(
  tool: string,
  args: readonly string[],
  what: string,
): Promise<{ code: number; said: string }> {
  const main = process.argv[1] ?? join(__dirname, "../main.js");
  const child = spawn(tool, [...args, process.execPath, ...process.execArgv, main, "watched", what]);
  let said = "";
  for (const stream of [child.stdout, child.stderr])
    stream.on("data", (text) => {
      said += text;
    });
  return new Promise((resolved, reject) => {
    child.on("error", reject);
    child.on("close", (code) => resolved({ code: code ?? -1, said }));
  });
}

export function requireTool(name: string): string {
  const tool = findTool(name);
  if (!tool) throw new StageFailure(`${name} cannot be found on PATH or in the CUDA toolkit`);
  return tool;
}

export default async function sanitizer(part: Part): Promise<void> {
  requireGpu();
  const tool = requireTool("compute-sanitizer");
  for (const name of ["memcheck", "racecheck", "synccheck", "initcheck"])
    await part.attempt(name, async () => {
      const began = performance.now();
      const { code, said } = await underTool(tool, ["--tool", name, "--error-exitcode", "9"], "suite");
      console.log(`--- ${name}\n${said.slice(-6000)}`);
      const summary =
        said.match(/========= (?:ERROR|RACECHECK) SUMMARY: .*/)?.[0] ?? said.trim().split("\n").at(-1);
      const seconds = ((performance.now() - began) / 1e3).toFixed(1);
      part.check(name, code === 0, `${summary}, exit code ${code}, ${seconds} s`);
    });
}
