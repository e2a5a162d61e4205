/** compute-sanitizer over the small suite: accesses, uninitialised reads, barriers, races of shared memory. */
import { again } from "../children";
import { type Part, requireGpu, StageFailure } from "../part";

const { findTool } = require("../../../native/toolkit.cjs") as { findTool(name: string): string | undefined };

export function requireTool(name: string): string {
  const tool = findTool(name);
  if (!tool) throw new StageFailure(`${name} cannot be found on PATH or in the CUDA toolkit`);
  return tool;
}

/** Seconds of each tool; one that is too slow for the whole suite must not take the time of the others. */
const tools = { memcheck: 24, racecheck: 16, synccheck: 10, initcheck: 10 };
/** Every tensor an allocation of its own, so that accesses beyond its end are seen. */
const env = { VOXELSPARK_CUDA_SEGMENT: "1" };

export default async function sanitizer(part: Part): Promise<void> {
  requireGpu();
  const tool = requireTool("compute-sanitizer");
  for (const [name, limit] of Object.entries(tools))
    await part.attempt(name, async () => {
      const how = [tool, "--tool", name, "--error-exitcode", "9", "--print-limit", "20"];
      const { code, said, cutOff, seconds } = await again("suite", limit, how, env);
      console.log(`--- ${name}\n${said.slice(-20_000)}`);
      const summary = said.match(/========= (?:ERROR|RACECHECK) SUMMARY: .*/)?.[0];
      const found = said.match(/^========= (?!COMPUTE-SANITIZER|Target|.*SUMMARY).*\S.*$/m)?.[0];
      const done = [...said.matchAll(/^done: (.*)$/gm)].map(([, op]) => op);
      part.fact(`${name} saw`, done);
      const end = cutOff
        ? `cut off after ${limit} s and ${done.length} ops`
        : `${summary ?? said.trim().split("\n").at(-1)}, exit code ${code}, ${seconds.toFixed(1)} s`;
      const looked = cutOff ? done.length > 0 : code === 0; // who saw nothing found nothing
      part.check(name, found === undefined && looked, found ? `${found}; ${end}` : end);
    });
}
