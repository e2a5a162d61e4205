/** Fine-tuning runs that stop and resume: the same bits; what is frozen stays; what is written where. */
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { FinetunePlan } from "../../lib/plans/finetune";
import { type FinetuneEvent, type FinetuneOptions, runFinetuning } from "../../lib/runs/finetuning";
import { loadSegmenter } from "../../lib/runs/load-segmenter";
import { stats } from "../../lib/tensor";
import { failure, temporaryFolder } from "../data/temp";
import { ballSource, tinyTuning } from "../finetune-fixtures";
import { leftovers, outcomeOf } from "../fixtures";
import { pretrainedRun } from "./pretrained-run";

jest.setTimeout(180_000);

// Drawing takes most of the time of so small a run.
jest.mock("../../lib/runs/progress-picture", () => ({
  drawProgress: async (file: string) => writeFileSync(file, "picture"),
  drawTuningProgress: async (file: string) => writeFileSync(file, "picture"),
}));

const root = temporaryFolder();
const plan = tinyTuning();
let pretrained: string;
let runs = 0;
const freshRun = () => join(root, `run-${runs++}`);

function options(out: string, more: Partial<FinetuneOptions> = {}) {
  const used = more.plan ?? plan;
  const source = ballSource(used);
  // biome-ignore lint/correctness/useYield: nothing to prepare
  async function* open(): AsyncGenerator<never, typeof source> {
    return source;
  }
  return {
    plan: used,
    out,
    open,
    device: "cpu" as const,
    source,
    ...(used.transfer === "none" ? {} : { pretrained }),
    ...more,
  };
}

async function events(run: FinetuneOptions, stopAt = Number.POSITIVE_INFINITY): Promise<FinetuneEvent[]> {
  const controller = new AbortController();
  const all: FinetuneEvent[] = [];
  for await (const event of runFinetuning({ ...run, signal: controller.signal })) {
    if (event.type === "step" && event.step === stopAt) controller.abort();
    all.push(event);
  }
  return all;
}

beforeAll(async () => {
  pretrained = await pretrainedRun(root);
});

afterEach(() => {
  expect(stats("cpu")).toMatchObject({ liveBytes: 0, liveTensors: 0, liveMasks: 0 });
  expect(leftovers(root)).toEqual([]);
});

test("a run writes plan, transfer, metrics, picture, checkpoints, best and final", async () => {
  const out = freshRun();
  const run = options(out);
  const all = await events(run);
  expect(all.map(({ type }) => type)).toEqual([
    "transfer",
    "start",
    ...["step", "checkpoint", "step", "checkpoint", "step", "validation", "checkpoint"],
    ...["step", "checkpoint", "step", "checkpoint", "step", "validation", "checkpoint"],
    ...["step", "checkpoint", "step", "validation", "checkpoint"],
    "final",
    "end",
  ]);
  expect(all.at(-1)).toEqual({ type: "end", step: 8, reason: "finished" });
  expect(run.source.closed).toBe(true);
  const { metrics } = outcomeOf(out);
  const steps = metrics.filter((m) => "loss" in m);
  expect(Object.keys(steps[0]!)).toEqual(["step", "loss", "gradientNorm", "stage", "lr"]);
  expect(steps.map((m) => m.stage)).toEqual([0, 0, 1, 1, 2, 2, 2, 2]);
  const validations = metrics.filter((m) => "validationDice" in m);
  expect(validations.map((m) => m.step)).toEqual([3, 6, 8]);
  expect(Object.keys(validations[0]!)).toEqual([
    ...["step", "validationLoss", "validationDice", "validationDiceSmoothed"],
    ...["validationDice/ball", "validationDice/core"],
  ]);
  let smoothed = validations[0]!.validationDice as number;
  for (const { validationDice, validationDiceSmoothed } of validations) {
    smoothed = 0.9 * smoothed + 0.1 * (validationDice as number); // method.md §7.6
    expect(validationDiceSmoothed).toBeCloseTo(smoothed, 12);
  }
  expect(JSON.parse(readFileSync(join(out, "plan.json"), "utf8"))).toEqual(plan);
  const transfer = JSON.parse(readFileSync(join(out, "transfer.json"), "utf8"));
  expect(transfer).toMatchObject({ transfer: "encoder+decoder", adapted: [], unexpected: [] });
  expect(existsSync(join(out, "progress.png"))).toBe(true);
  const bestStep = all.flatMap((e) => (e.type === "validation" && e.best ? e.step : [])).at(-1);
  for (const which of ["final", "best"] as const) {
    using segmenter = await loadSegmenter(out, "cpu", which);
    expect(segmenter.plan).toEqual(plan);
    expect(segmenter.step).toBe(which === "final" ? 8 : bestStep);
  }
});

describe.each<[string, Partial<FinetunePlan>]>([
  ["two-stage-warmup", {}],
  ["sawtooth", { schedule: { ...plan.schedule, kind: "sawtooth", frozenShare: 0.5, rampShare: 0.25 } }],
  [
    "warmup, encoder, deep supervision",
    {
      transfer: "encoder",
      schedule: { ...plan.schedule, kind: "warmup" },
      loss: { ...plan.loss, deepSupervision: true },
    },
  ],
])("the same bits after stopping: %s", (_, change) => {
  const used = tinyTuning(change as never);
  const whole = freshRun();
  let expected: ReturnType<typeof outcomeOf>;
  beforeAll(async () => {
    await events(options(whole, { plan: used }));
    expected = outcomeOf(whole);
  });

  test("at every step", async () => {
    const out = freshRun();
    for (let step = 1; step <= used.steps; step++) {
      const all = await events(options(out, { plan: used, resume: step > 1 }), step);
      expect(all.at(-1)).toMatchObject({ step });
    }
    expect(outcomeOf(out)).toEqual(expected);
    for (const file of ["final", "best"].map((name) => join(name, "weights.safetensors")))
      expect(readFileSync(join(out, file))).toEqual(readFileSync(join(whole, file)));
  });
});

describe("refused", () => {
  test("weights where none are transferred, none where some are, and the folder is not made", async () => {
    const out = freshRun();
    const without = await failure(() => events(options(out, { pretrained: undefined })));
    expect(without.code).toBe("ERR_VOXELSPARK_PLAN");
    expect(without.message).toMatch(/transfer is "encoder\+decoder", which needs pre-trained weights/);
    const scratch = tinyTuning({ transfer: "none" });
    const needless = await failure(() => events(options(out, { plan: scratch, pretrained })));
    expect(needless.message).toMatch(/where pre-trained weights are given, found "none"/);
    expect(existsSync(out)).toBe(false);
  });

  test("a pre-trained network of another architecture, before the first step", async () => {
    const out = freshRun();
    const wider = tinyTuning({ network: { features: [4, 12] } });
    const { code, message } = await failure(() => events(options(out, { plan: wider })));
    expect(code).toBe("ERR_VOXELSPARK_CHECKPOINT");
    expect(message).toMatch(/encoder\.stages\.1.* has shape \[8, .*, the network needs \[12, /);
  });

  test("a new run where results are; a resumed one where pre-training is", async () => {
    const out = freshRun();
    await events(options(out, { plan: tinyTuning({ transfer: "none", steps: 1 }) }));
    rmSync(join(out, "step-00000001"), { recursive: true });
    const again = await failure(() => events(options(out)));
    expect(again.message).toMatch(/already holds the results of a run/);
    const foreign = await failure(() => events(options(pretrained, { resume: true })));
    expect(foreign.message).toMatch(
      /step-00000002 is a checkpoint of pre-training, which predicts no labels/,
    );
  });

  test("a segmenter of a run that has not ended, or of pre-training", async () => {
    const out = freshRun();
    mkdirSync(out);
    const unfinished = await failure(() => loadSegmenter(out, "cpu"));
    expect(unfinished.code).toBe("ERR_VOXELSPARK_CHECKPOINT");
    expect(unfinished.message).toMatch(/holds no folder final\/; a run that has not ended holds step-/);
    const missing = await failure(() => loadSegmenter(join(out, "nothing"), "cpu"));
    expect(missing.message).toMatch(/nothing does not exist\.$/);
    const foreign = await failure(() => loadSegmenter(pretrained, "cpu"));
    expect(foreign.message).toMatch(/is a run of pre-training, which predicts no labels/);
    const checkpoint = await failure(() => loadSegmenter(join(pretrained, "step-00000002"), "cpu"));
    expect(checkpoint.message).toMatch(/is a checkpoint of pre-training/);
  });
});
