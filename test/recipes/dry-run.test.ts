/** What the dry run says is what a step takes, and running it costs neither memory nor time. */
import { sampleMask } from "../../lib/masking";
import { createPlan, type Plan, type PlanInput } from "../../lib/plans/plan";
import { dryRun } from "../../lib/recipes/dry-run";
import { pretrainStep, takeItems } from "../../lib/recipes/step";
import { resetPeak, stats, sync } from "../../lib/tensor";
import { initialState, tinyPlan } from "../fixtures";

jest.setTimeout(180_000);

/** Peak of a real step on the CPU, with the fewest masked blocks that the plan can draw. */
async function measured(plan: Plan): Promise<{ peakBytes: number; residentBytes: number }> {
  using state = initialState(plan);
  const shape = [plan.batch, 1, ...plan.patch];
  const patches = Float32Array.from({ length: shape.reduce((a, b) => a * b) }, (_, i) => Math.sin(i));
  const ratio = typeof plan.mask.ratio === "number" ? plan.mask.ratio : plan.mask.ratio[0];
  const masking = { ...plan.mask, patch: plan.patch, ratio };
  const mask = sampleMask(masking, { seed: plan.seed, step: 7, samples: plan.batch });
  const residentBytes = stats("cpu").liveBytes;
  resetPeak("cpu");
  const { loss, gradientNorm } = pretrainStep(
    state.model,
    state.optimizer,
    { patches, shape, mask, device: "cpu" },
    0.01,
  );
  await takeItems(loss, gradientNorm);
  await sync();
  return { peakBytes: stats("cpu").peakBytes, residentBytes };
}

const variants: [string, PlanInput][] = [
  ["sparse", {}],
  ["ratio per sample, batch norm", { mask: { per: "sample" }, network: { norm: "batch" } }],
  ["tokens not folded", { tokenFolding: false }],
  ["norms written", { fusion: false }],
  ["dense encoder", { sparsification: { sparse: false } }],
  ["no mask token", { sparsification: { maskToken: false } }],
  ["no densify convolution", { sparsification: { densifyConv: false } }],
  ["all switches off", { sparsification: { sparse: false, maskToken: false, densifyConv: false } }],
  ["upstream parity", { upstreamParity: true, mask: { block: 8, coarse: "dense" } }],
  ["blocks of 2 voxels", { mask: { block: 2 } }],
  ["without momentum and clipping", { optimizer: { momentum: 0, nesterov: false, clip: null } }],
];

test.each(variants)("%s: within 2 %% of a real step", async (_, input) => {
  const plan = tinyPlan({ patch: [32, 32, 32], batch: 3, ...input });
  const told = dryRun(plan);
  const found = await measured(plan);
  expect(told.residentBytes).toBe(found.residentBytes);
  expect(Math.abs(told.peakBytes / found.peakBytes - 1)).toBeLessThan(0.02);
  expect(stats("null")).toMatchObject({ liveBytes: 0, liveTensors: 0, liveMasks: 0 });
});

test("the tiny preset: within 2 % of a real step", async () => {
  const plan = createPlan({}, "tiny");
  expect(Math.abs(dryRun(plan).peakBytes / (await measured(plan)).peakBytes - 1)).toBeLessThan(0.02);
});

test("ResEnc-L at 160³, batch 6, in seconds", () => {
  const start = performance.now();
  const { parameters, peakBytes, residentBytes } = dryRun(createPlan());
  expect((performance.now() - start) / 1000).toBeLessThan(10);
  // The 1→1 U-Net, mask tokens of 1320 channels, 3×3×3 densify convolutions of all stages but the first.
  const densify = [64, 128, 256, 320, 320].reduce((sum, c) => sum + 27 * c * c + c, 0);
  const tokens = 32 + 64 + 128 + 256 + 320 + 320;
  expect(parameters).toBe(102_348_965 + densify + tokens);
  expect(residentBytes).toBeGreaterThanOrEqual(8 * parameters);
  expect(residentBytes).toBeLessThan(8.1 * parameters);
  expect(peakBytes / 2 ** 30).toBeGreaterThan(10);
  expect(peakBytes / 2 ** 30).toBeLessThan(60);
  expect(stats("null")).toMatchObject({ liveBytes: 0, liveTensors: 0, liveMasks: 0 });
});

test("a step of the paper's plan in 16 bits fits a card of 24 GB", () => {
  const peak = (precision: Plan["precision"]) =>
    dryRun(createPlan({ precision, device: "cuda" })).peakBytes / 2 ** 30;
  const [fp32, bf16, fp16] = [peak("fp32"), peak("bf16"), peak("fp16")];
  expect(bf16 / fp32).toBeLessThan(0.65);
  expect(bf16).toBeLessThan(22);
  expect(fp16).toBeCloseTo(bf16, 2);
  expect(stats("null")).toMatchObject({ liveBytes: 0, liveTensors: 0, liveMasks: 0 });
});

test("what remains of a step that fails is nothing", () => {
  const plan = tinyPlan();
  const broken = { ...plan, sparsification: { ...plan.sparsification }, mask: { ...plan.mask, block: 5 } };
  expect(() => dryRun(broken)).toThrow(/block of 5 voxels does not divide/);
  expect(stats("null")).toMatchObject({ liveBytes: 0, liveTensors: 0, liveMasks: 0 });
});
