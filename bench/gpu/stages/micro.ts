/** Builds and runs micro/micro.cu: what the hardware does with the instructions that the kernels are built on. */
import { execFile } from "node:child_process";
import { join, resolve } from "node:path";
import { type Part, StageFailure, workFolder } from "../part";

const folder = resolve(__dirname, "../micro");
const { architectures, forNvcc } = require("../../../native/architectures.cjs") as {
  architectures(): string[];
  forNvcc(names: readonly string[]): string[];
};
const { findNvcc } = require("../../../native/toolkit.cjs") as { findNvcc(): string | undefined };

const run = (
  command: string,
  args: readonly string[],
): Promise<{ failed: boolean; out: string; err: string }> =>
  new Promise((resolved) =>
    execFile(command, args, (error, out, err) => resolved({ failed: error !== null, out, err })),
  );

/** A line of the program's: a check, a figure, or why it ended. */
interface Line {
  what?: string;
  ok?: boolean;
  says?: string;
  fact?: string;
  value?: unknown;
  fatal?: string;
}

export function take(part: Part, out: string): void {
  for (const line of out.split("\n").filter((l) => l.startsWith("{"))) {
    const { what, ok, says, fact, value, fatal } = JSON.parse(line) as Line;
    if (fatal) throw new StageFailure(fatal);
    if (fact) part.fact(fact, value);
    else part.check(what ?? "", ok === true, says ?? "");
  }
}

export default async function micro(part: Part): Promise<void> {
  const nvcc = findNvcc();
  if (!nvcc) throw new StageFailure("nvcc cannot be found: set CUDACXX or PATH");
  const program = join(workFolder(), "micro");
  const flags = ["-std=c++17", "-O3", "-lineinfo", ...forNvcc(architectures())];
  const built = await run(nvcc, [...flags, "-o", program, join(folder, "micro.cu")]);
  if (built.failed) throw new StageFailure(`micro.cu does not compile: ${built.err.slice(0, 2000)}`);
  part.fact("compiled", true);
  const { failed, out, err } = await run(program, []);
  console.log(out + err);
  take(part, out);
  if (failed) throw new StageFailure(`micro ended early: ${err.trim() || out.trim().split("\n").at(-1)}`);
}
