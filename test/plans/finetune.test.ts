import { writeFileSync } from "node:fs";
import { join } from "node:path";
import {
  createFinetunePlan,
  diffPlans,
  type FinetunePlanInput,
  finetunePlanFromJson,
  finetuneStages,
  mergeFinetuneInputs,
  overrideFinetunePlan,
  planToJson,
  readFinetuneInput,
  resumeFinetunePlan,
  type ScheduleKind,
} from "../../lib/plans/finetune";
import { FINETUNE_PRESETS } from "../../lib/plans/finetune-presets";
import { trainedGroups, tuningRate } from "../../lib/plans/finetune-stages";
import { PRESETS, type PresetName } from "../../lib/plans/plan";
import { temporaryFolder } from "../data/temp";

const DATA = { channels: ["T1"], labels: { labels: { background: 0, edema: 1, core: 2 } } };
const made = (input: FinetunePlanInput = {}, preset: PresetName = "s3d") =>
  createFinetunePlan({ ...DATA, ...input }, preset);

const messageOf = (f: () => unknown): string => {
  try {
    f();
  } catch (error) {
    expect((error as { code?: string }).code).toBe("ERR_VOXELSPARK_PLAN");
    return (error as Error).message;
  }
  throw new Error("nothing was thrown");
};

describe("defaults", () => {
  test.each(Object.keys(FINETUNE_PRESETS) as PresetName[])("preset %s fits its pre-training", (name) => {
    const plan = made({}, name);
    const { inChannels: _, outChannels: __, ...network } = PRESETS[name].network;
    expect(plan.network).toEqual({ ...network, inChannels: 1, outChannels: 3 });
    expect(plan.patch).toEqual(PRESETS[name].patch);
    expect(plan.preprocessing).toEqual(PRESETS[name].preprocessing);
    expect(finetunePlanFromJson(JSON.parse(planToJson(plan)))).toEqual(plan);
    expect(Object.isFrozen(plan.labels.labels)).toBe(true);
  });

  test("the paper's: encoder and decoder, two stages of 12.5 k steps, peak 1e-3 of 250 k", () => {
    const plan = made();
    expect(plan).toMatchObject({
      transfer: "encoder+decoder",
      foreground: 0.33,
      augmentation: "nnunet",
      batch: 2,
    });
    expect(plan.schedule).toMatchObject({ kind: "two-stage-warmup", learningRate: 1e-3, polyPower: 0.9 });
    expect(plan.optimizer).toEqual({ momentum: 0.99, nesterov: true, weightDecay: 3e-5, clip: 12 });
    expect(finetuneStages(plan).map(({ steps, trains }) => [steps, trains.join()])).toEqual([
      [12_500, "heads"],
      [12_500, "encoder,decoder,heads"],
      [225_000, "encoder,decoder,heads"],
    ]);
  });

  test("nothing transferred: from scratch at the high rate", () => {
    expect(made({ transfer: "none" }).schedule).toMatchObject({ kind: "from-scratch", learningRate: 1e-2 });
    expect(made({ transfer: "none" }, "tiny").schedule.learningRate).toBe(0.1);
    expect(made({ schedule: { kind: "warmup", learningRate: 0.5 } }).schedule.learningRate).toBe(0.5);
  });

  test("regions have a channel each; labels are taken as a whole", () => {
    const labels = {
      labels: { background: 0, whole: [1, 2], core: [2], ignore: 3 },
      regionsClassOrder: [1, 2],
    };
    expect(made({ labels, channels: ["T1", "T2"] }).network).toMatchObject({ inChannels: 2, outChannels: 2 });
    expect(mergeFinetuneInputs(DATA, { labels }).labels).toEqual(labels);
  });
});

describe("schedules (method.md §7.3), epochs of 250 steps", () => {
  const scheduled = (kind: ScheduleKind, change: FinetunePlanInput = {}) => {
    const transfer = kind === "from-scratch" ? "none" : "encoder";
    return made({ transfer, ...change, schedule: { kind, ...change.schedule } });
  };
  const first = (epoch: number) => epoch * 250;
  const last = (epoch: number) => epoch * 250 + 249;

  // At the end of an epoch's steps a ramp has the value that upstream, which sets it once an epoch, gives the epoch.
  test.each<[ScheduleKind, number, number]>([
    ["warmup", last(0), 2e-5],
    ["warmup", last(49), 1e-3],
    ["warmup", first(50), 1e-3],
    ["warmup", first(525), 5.36e-4],
    ["warmup", first(999), 2.09e-6],
    ["from-scratch", 0, 1e-2],
    ["from-scratch", first(500), 5.359e-3],
    ["from-scratch", first(999), 1.995e-5],
    ["no-warmup", 0, 1e-3],
    ["no-warmup", first(500), 5.359e-4],
    ["two-stage-warmup", 0, 1e-3 / 12_500],
    ["two-stage-warmup", last(49), 1e-3],
    ["two-stage-warmup", first(50), 1e-3 / 12_500],
    ["two-stage-warmup", last(99), 1e-3],
    ["two-stage-warmup", first(100), 1e-3],
    ["two-stage-warmup", first(999), 1e-3 * (1 / 900) ** 0.9],
    ["frozen-encoder", last(49), 1e-3],
    ["frozen-encoder", first(525), 5.36e-4],
    ["sawtooth", last(24), 1e-3],
    ["sawtooth", first(25), 1e-3],
    ["sawtooth", first(49), 1e-3 * (1 / 25) ** 0.9],
    ["sawtooth", last(50), 1e-3 / 50],
    ["sawtooth", last(99), 1e-3],
    ["sawtooth", first(100), 1e-3],
    ["sawtooth", first(999), 1e-3 * (1 / 900) ** 0.9],
    ["sawtooth", 250_000, 0],
  ])("%s, step %i: %p", (kind, step, expected) => {
    expect(tuningRate(scheduled(kind))(step) / (expected || 1)).toBeCloseTo(expected ? 1 : 0, 2);
  });

  test.each<[ScheduleKind, [number, string][]]>([
    [
      "two-stage-warmup",
      [
        [0, "decoder,heads"],
        [12_499, "decoder,heads"],
        [12_500, "encoder,decoder,heads"],
      ],
    ],
    [
      "sawtooth",
      [
        [6_250, "decoder,heads"],
        [12_499, "decoder,heads"],
        [12_500, "encoder,decoder,heads"],
      ],
    ],
    [
      "frozen-encoder",
      [
        [0, "decoder,heads"],
        [249_999, "decoder,heads"],
      ],
    ],
    ["warmup", [[0, "encoder,decoder,heads"]]],
    ["no-warmup", [[0, "encoder,decoder,heads"]]],
    ["from-scratch", [[0, "encoder,decoder,heads"]]],
  ])("%s trains", (kind, expected) => {
    for (const [step, groups] of expected) expect(trainedGroups(scheduled(kind), step).join()).toBe(groups);
  });

  test("the first stage trains what is new: the heads alone where the decoder is transferred", () => {
    expect(trainedGroups(made(), 0)).toEqual(["heads"]);
    expect(trainedGroups(scheduled("sawtooth", { transfer: "encoder+decoder" }), 0)).toEqual([
      "decoder",
      "heads",
    ]);
  });

  test("shares follow the number of steps", () => {
    const lengths = (plan: ReturnType<typeof made>) => finetuneStages(plan).map(({ steps }) => steps);
    expect(lengths(made({ steps: 200 }))).toEqual([10, 10, 180]);
    expect(lengths(scheduled("sawtooth", { steps: 200, schedule: { frozenShare: 0.2 } }))).toEqual([
      20, 20, 10, 150,
    ]);
  });
});

describe("refused", () => {
  test.each<[string, FinetunePlanInput, string]>([
    ["a frozen new encoder", { transfer: "none", schedule: { kind: "sawtooth" } }, "must not be frozen"],
    [
      "no steps left",
      { steps: 2 },
      "steps must exceed the 2 of the schedule's first stages (1 + 1), found 2",
    ],
    [
      "channels",
      { network: { inChannels: 3 } },
      "network.inChannels must be 1, one a name in channels, found 3",
    ],
    ["classes", { network: { outChannels: 9 } }, "network.outChannels must be 3, one a class or region"],
    ["patch", { patch: [100, 160, 160] }, "patch[0] must be a multiple of the network's total stride 32"],
    [
      "labels with a gap",
      { labels: { labels: { background: 0, a: 2 } } },
      "labels: the labels must be 0, 1, 2",
    ],
    [
      "mirroring twice",
      { prediction: { mirroring: [0, 0] } },
      "prediction.mirroring must name each axis once",
    ],
    ["nesterov", { optimizer: { momentum: 0 } }, "optimizer.nesterov must be false"],
    ["fold", { fold: "some" as never }, 'fold must be a whole number from 0 to 999 or "all", found "some"'],
    ["mask", { mask: {} } as never, "mask is not a key of a plan"],
  ])("%s", (_, input, expected) => {
    expect(messageOf(() => made(input))).toContain(expected);
  });

  test("a plan without channels and labels", () => {
    expect(messageOf(() => createFinetunePlan({}))).toMatch(/channels is missing.*\n.*labels is missing/);
    expect(messageOf(() => createFinetunePlan({ ...DATA, labels: {} }))).toContain(
      "labels.labels is missing",
    );
  });

  test("a resumed run with another plan; operational fields may change", () => {
    const plan = made({}, "tiny");
    const wanted = overrideFinetunePlan(plan, { loader: { workers: 0 }, prediction: { step: 0.7 } });
    expect(resumeFinetunePlan(plan, wanted)).toBe(wanted);
    const other = overrideFinetunePlan(plan, { transfer: "encoder", fold: 1 });
    expect(
      diffPlans(plan, other)
        .map(({ path }) => path)
        .sort(),
    ).toEqual(["fold", "transfer"]);
    expect(messageOf(() => resumeFinetunePlan(plan, other))).toContain("fold was 0, is now 1");
  });
});

const folder = temporaryFolder();
test("a plan file states any part of a plan", async () => {
  const file = join(folder, "plan.json");
  writeFileSync(file, '{"steps": 7, "schedule": {"kind": "warmup"}}');
  const input = await readFinetuneInput(file);
  expect(made(mergeFinetuneInputs(input, { steps: 9 }))).toMatchObject({
    steps: 9,
    schedule: { kind: "warmup" },
  });
  writeFileSync(file, '{"stepz": 7}');
  await expect(readFinetuneInput(file)).rejects.toMatchObject({
    message: expect.stringContaining("did you mean steps?"),
  });
});
