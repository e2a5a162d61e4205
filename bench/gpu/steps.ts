/** What our steps and the peers' have in common: how they are timed. */
import { spawnSync } from "node:child_process";
import { dry, type StepTime } from "./part";

/** Shares of masked blocks; the paper's first. */
export const RATIOS = [0.75, 0.6, 0.9] as const;
export const preset = "s3d";

const [LEAST, MOST] = dry ? [2, 2] : [3, 7];
const SECONDS = 4;

/** Whether a median of these is worth having; slow steps are repeated less often. */
export const enough = (times: readonly number[]) =>
  times.length >= MOST || (times.length >= LEAST && times.reduce((a, b) => a + b, 0) > SECONDS);

/** Median and quartiles. */
export function summary(times: readonly number[]): Pick<StepTime, "seconds" | "quartiles"> {
  const sorted = [...times].sort((a, b) => a - b);
  const at = (q: number) => sorted[Math.floor((sorted.length - 1) * q)] as number;
  return { seconds: at(0.5), quartiles: [at(0.25), at(0.75)] };
}

/** What the driver says is in use on the device, contexts and caches included. */
export function deviceMemory(): string {
  const query = ["--query-gpu=memory.used", "--format=csv,noheader"];
  return spawnSync("nvidia-smi", query, { encoding: "utf8", timeout: 10_000 }).stdout?.trim() || "not known";
}
