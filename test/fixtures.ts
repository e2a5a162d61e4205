/** What tests of whole runs share: a plan whose step takes milliseconds, cases to train on, and hashes to compare. */
import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { listCases } from "../lib/data/case-store";
import { phantom } from "../lib/data/phantoms";
import { createPlan, type Plan, type PlanInput } from "../lib/plans/plan";
import type { PretrainState } from "../lib/recipes/pretrain";
import { buildS3D, buildSGD } from "../lib/recipes/step";
import { CaseSource } from "../lib/runs/cases";
import { madeCase } from "./data/made-case";

const k3 = [3, 3, 3] as const;

/** Two stages, 16³ patches, 8 mask blocks, no loader threads. */
export const TINY: PlanInput = {
  patch: [16, 16, 16],
  steps: 4,
  network: {
    features: [4, 8],
    blocks: [1, 1],
    kernels: [k3, k3],
    strides: [
      [1, 1, 1],
      [2, 2, 2],
    ],
    decoder: { convs: [1] },
  },
  mask: { ratio: [0.3, 0.8] },
  validation: { every: 2, patches: 2 },
  loader: { workers: 0 },
  checkpoint: { every: 1, keep: 100 },
};

/** TINY with some fields replaced, two levels deep. */
export function tinyPlan(input: PlanInput = {}): Plan {
  const merged = Object.entries(input).map(([key, value]) => {
    const base = TINY[key as keyof PlanInput];
    const nested = typeof value === "object" && !Array.isArray(value) && typeof base === "object";
    return [key, nested ? { ...base, ...value } : value];
  });
  return createPlan({ ...TINY, ...Object.fromEntries(merged) }, "tiny");
}

/** Writes stored cases a, b, c, … of unequal shapes. */
export async function tinyCases(folder: string, count = 3, seed = 4): Promise<void> {
  for (let i = 0; i < count; i++) {
    const shape: [number, number, number] = [20 + 2 * i, 18, 24 - i];
    const data = phantom(i, { shape, seed }).image.map((v) => v / 60 - 1);
    await madeCase(folder, "abcdefgh"[i]!, data, shape);
  }
}

export async function tinySource(plan: Plan, folder: string): Promise<CaseSource> {
  return CaseSource.open(plan, { folder, ids: await listCases(folder) });
}

export function initialState(plan: Plan): PretrainState & Disposable {
  const model = buildS3D(plan, "cpu");
  const optimizer = buildSGD(plan, model);
  const dispose = () => {
    optimizer.dispose();
    model.dispose();
  };
  return { model, optimizer, step: 0, [Symbol.dispose]: dispose };
}

/** sha256 over every weight, running statistic and momentum. */
export async function digest({ model, optimizer }: PretrainState): Promise<string> {
  const hash = createHash("sha256");
  for (const [name, t] of [...model.state(), ...optimizer.state()]) hash.update(name).update(await t.data());
  return hash.digest("hex");
}

type Line = { step: number; [name: string]: unknown };

/** What a run has computed: a hash of every checkpoint file, and the metrics without the times. */
export function outcomeOf(run: string): { files: Record<string, string>; metrics: Line[] } {
  const folders = readdirSync(run).filter((name) => name.startsWith("step-"));
  const files = folders.flatMap((folder) =>
    readdirSync(join(run, folder)).map((file) => `${folder}/${file}`),
  );
  const hash = (file: string) =>
    createHash("sha256")
      .update(readFileSync(join(run, file)))
      .digest("hex");
  return {
    files: Object.fromEntries(files.sort().map((file) => [file, hash(file)])),
    metrics: metricsOf(run),
  };
}

/** Lines of metrics.jsonl without wall times, which no two runs share. */
export function metricsOf(run: string): Line[] {
  const file = join(run, "metrics.jsonl");
  if (!existsSync(file)) return [];
  return readFileSync(file, "utf8")
    .trim()
    .split("\n")
    .map((line) => {
      const { seconds, dataWaitSeconds, ...rest } = JSON.parse(line);
      return rest;
    });
}

/** Locks and unfinished files in a folder. */
export function leftovers(folder: string): string[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { recursive: true })
    .map(String)
    .filter((name) => /(^|\/)\.(tmp|lock)-/.test(name));
}
