/** Training and prediction in bf16 and fp16 on the emulated device: beside fp32, through overflow, across a resume. */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { predictLogits } from "../../lib/inference/sliding-window";
import { sampleMask } from "../../lib/masking";
import type { FinetunePlan } from "../../lib/plans/finetune";
import type { Plan, PlanInput } from "../../lib/plans/plan";
import { dryRun } from "../../lib/recipes/dry-run";
import { finetune } from "../../lib/recipes/finetune";
import { type PretrainState, type PretrainStep, pretrain } from "../../lib/recipes/pretrain";
import { buildSegmenter, Tuner } from "../../lib/recipes/segmenter";
import { buildS3D, buildSGD, pretrainStep, takeItems } from "../../lib/recipes/step";
import { validate } from "../../lib/recipes/validate";
import { runPretraining } from "../../lib/runs/pretraining";
import { resetPeak, stats, sync, tensor } from "../../lib/tensor";
import { temporaryFolder } from "../data/temp";
import { ballSource, tinyTuning } from "../finetune-fixtures";
import { outcomeOf, tinyCases, tinyPlan, tinySource } from "../fixtures";
import { relativeError } from "../golden/check";

jest.setTimeout(180_000);

// Drawing takes most of the time of so small a run; test/cli draws real pictures.
jest.mock("../../lib/runs/progress-picture", () => ({
  drawProgress: async (file: string) => writeFileSync(file, "picture"),
}));

const root = temporaryFolder();
const cases = join(root, "cases");
beforeAll(() => tinyCases(cases));

const half = ["bf16", "fp16"] as const;
/** Largest relative difference of a loss from that of fp32. */
const bounds = { bf16: 0.02, fp16: 0.005 } as const;

function stateOf(plan: Plan): PretrainState & Disposable {
  const model = buildS3D(plan, "cuda");
  const optimizer = buildSGD(plan, model);
  const dispose = () => {
    optimizer.dispose();
    model.dispose();
  };
  return { model, optimizer, step: 0, [Symbol.dispose]: dispose };
}

const STEPS = 20;
const small: PlanInput = {
  ...{ patch: [8, 8, 8], batch: 1, steps: STEPS, device: "cuda" },
  mask: { block: 4, ratio: [0.3, 0.8] },
  optimizer: { learningRate: 0.01 }, // at higher rates a run this small is chaotic
};
const planOf = (precision: Plan["precision"], more: PlanInput = {}) =>
  tinyPlan({ ...small, precision, ...more });

/** Every step of a short pre-training, and the loss over the held-out patches after it. */
async function curve(precision: Plan["precision"]) {
  const plan = planOf(precision);
  using state = stateOf(plan);
  const source = await tinySource(plan, cases);
  try {
    const steps: PretrainStep[] = [];
    for await (const step of pretrain(plan, state, source, "cuda")) steps.push(step);
    return { steps, held: await validate(plan, state.model, source, "cuda") };
  } finally {
    await source.close();
  }
}

function expectClose(found: number, wanted: number, bound: number): void {
  expect([found, wanted, Math.abs(found / wanted - 1) < bound]).toEqual([found, wanted, true]);
}

describe("twenty steps of pre-training", () => {
  let wanted: Awaited<ReturnType<typeof curve>>;
  beforeAll(async () => {
    wanted = await curve("fp32");
  });

  test.each(half)("in %s: every loss is near that of fp32", async (precision) => {
    const found = await curve(precision);
    expect(found.steps).toHaveLength(STEPS);
    found.steps.forEach(({ loss, gradientNorm }, i) => {
      expectClose(loss, wanted.steps[i]!.loss, bounds[precision]);
      expectClose(gradientNorm, wanted.steps[i]!.gradientNorm, 10 * bounds[precision]);
    });
    expectClose(found.held.loss, wanted.held.loss, bounds[precision]);
    expect(found.steps.map((s) => s.loss)).not.toEqual(wanted.steps.map((s) => s.loss));
    const scales = found.steps.map((s) => s.lossScale);
    expect(scales).toEqual(Array(STEPS).fill(precision === "fp16" ? 65536 : undefined));
  });
});

test("a gradient that overflows skips its step and halves the scale until it does not", async () => {
  const plan = planOf("fp16");
  using state = stateOf(plan);
  state.optimizer.lossScale!.load({ scale: 2 ** 34, goodSteps: 1999 });
  const source = await tinySource(plan, cases);
  const weights = async () => {
    const all: number[] = [];
    for (const t of state.model.parameters().values()) all.push(...(await t.data()));
    return all;
  };
  const steps: PretrainStep[] = [];
  let before = await weights();
  for await (const step of pretrain(plan, state, source, "cuda")) {
    const after = await weights();
    expect(after.every(Number.isFinite)).toBe(true);
    if (Number.isFinite(step.gradientNorm)) expect(after).not.toEqual(before);
    else expect(after).toEqual(before);
    before = after;
    steps.push(step);
    if (Number.isFinite(step.gradientNorm)) break;
  }
  await source.close();
  const skipped = steps.length - 1;
  expect(skipped).toBeGreaterThan(3);
  expect(steps.map((s) => s.lossScale)).toEqual(steps.map((_, i) => 2 ** (34 - i)));
  expect(state.optimizer.lossScale!.state()).toEqual({ scale: 2 ** (34 - skipped), goodSteps: 1 });
});

/** A run on the stored cases that stops after a step as a signal does. */
async function run(plan: Plan, out: string, stop = Number.POSITIVE_INFINITY, resume = false): Promise<void> {
  const controller = new AbortController();
  const source = await tinySource(plan, cases);
  async function* open(): AsyncGenerator<never, typeof source> {
    yield* [];
    return source;
  }
  const { signal } = controller;
  for await (const event of runPretraining({ plan, out, open, device: "cuda", resume, signal }))
    if (event.type === "step" && event.step === stop) controller.abort();
}

test.each(half)(
  "a run in %s that was interrupted and resumed has the same bits, the loss scale too",
  async (precision) => {
    const plan = planOf(precision, { steps: 4, validation: { every: 4, patches: 1 } });
    const [whole, parts] = [join(root, `${precision}-whole`), join(root, `${precision}-parts`)];
    await run(plan, whole);
    await run(plan, parts, 2);
    await run(plan, parts, undefined, true);
    expect(outcomeOf(parts)).toEqual(outcomeOf(whole));
    const { extra } = JSON.parse(readFileSync(join(parts, "step-00000002", "state.json"), "utf8"));
    expect(extra.lossScale).toEqual(precision === "fp16" ? { scale: 65536, goodSteps: 2 } : undefined);
  },
);

test.each(["fp32", ...half] as const)(
  "the dry run in %s says what a step on the device takes",
  async (precision) => {
    const plan = planOf(precision, { patch: [16, 16, 16], network: { features: [8, 16] } });
    const told = dryRun(plan);
    using state = stateOf(plan);
    const shape = [plan.batch, 1, ...plan.patch];
    const patches = Float32Array.from({ length: shape.reduce((a, b) => a * b) }, (_, i) => Math.sin(i));
    const ratio = (plan.mask.ratio as readonly [number, number])[0];
    const masking = { ...plan.mask, patch: plan.patch, ratio };
    const mask = sampleMask(masking, { seed: plan.seed, step: 7, samples: plan.batch });
    expect(told.residentBytes).toBe(stats("cuda").liveBytes);
    resetPeak("cuda");
    const input = { patches, shape, mask, device: "cuda" as const };
    const { loss, gradientNorm } = pretrainStep(state.model, state.optimizer, input, 0.01);
    await takeItems(loss, gradientNorm);
    await sync();
    expectClose(told.peakBytes, stats("cuda").peakBytes, 0.02);
  },
);

test("prediction in 16 bits: float32 logits near those of fp32, from the same weights", async () => {
  const plan = tinyTuning({ device: "cuda", patch: [8, 8, 8] });
  const image = ballSource({ ...plan, patch: [8, 8, 12], batch: 1 });
  const { images } = await image.batch(0);
  const predict = async (precision: Plan["precision"]) => {
    using model = buildSegmenter(plan, "cuda", precision);
    model.train(false);
    using volume = tensor(images, [1, 1, 8, 8, 12], { device: "cuda" });
    const options = { patch: [8, 8, 8] as const, channels: 3, mirror: [2] as const };
    const work = predictLogits((x) => model.forward(x), volume, options);
    for (;;) {
      const next = await work.next();
      if (next.done) return next.value;
    }
  };
  const wanted = await predict("fp32");
  for (const precision of half) {
    const error = relativeError(await predict(precision), wanted);
    expect(error).toBeGreaterThan(0);
    expect(error).toBeLessThan(bounds[precision]);
  }
});

/** Losses of a short fine-tuning. */
async function tuning(precision: FinetunePlan["precision"]) {
  const plan = tinyTuning({
    precision,
    device: "cuda",
    patch: [8, 8, 8],
    batch: 1,
    loss: { deepSupervision: true },
  });
  using tuner = new Tuner(plan, buildSegmenter(plan, "cuda"));
  const source = ballSource(plan);
  const losses: number[] = [];
  for await (const step of finetune(plan, tuner, source, "cuda")) losses.push(step.loss);
  return { losses, scale: tuner.lossScale?.state() };
}

test("fine-tuning with deep supervision in bf16 and fp16: every loss is near that of fp32", async () => {
  const wanted = await tuning("fp32");
  for (const precision of half) {
    const found = await tuning(precision);
    for (const [i, loss] of found.losses.entries())
      expect(Math.abs(loss - wanted.losses[i]!)).toBeLessThan(bounds[precision]);
    expect(found.scale).toEqual(precision === "fp16" ? { scale: 65536, goodSteps: 8 } : undefined);
  }
});
