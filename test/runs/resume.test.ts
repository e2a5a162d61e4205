/** Runs that stop, fail, resume and share folders: the same result as one that did not, and nothing left behind. */
import { copyFileSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Plan } from "../../lib/plans/plan";
import { type RunEvent, type RunOptions, type RunSource, runPretraining } from "../../lib/runs/pretraining";
import { stats } from "../../lib/tensor";
import { failure, temporaryFolder } from "../data/temp";
import { leftovers, outcomeOf, tinyCases, tinyPlan, tinySource } from "../fixtures";

jest.setTimeout(180_000);

// Drawing takes most of the time of so small a run; test/cli draws real pictures.
jest.mock("../../lib/runs/progress-picture", () => ({
  drawProgress: async (file: string) => writeFileSync(file, "picture"),
}));

const root = temporaryFolder();
const cases = join(root, "cases");
const plan = tinyPlan({ steps: 6, validation: { every: 3 }, checkpoint: { every: 2 } });
let runs = 0;
const freshRun = () => join(root, `run-${runs++}`);

type Opened = { closed: boolean };

/** Options of a run on the stored cases; `opened.closed` tells whether the run closed its source. */
function options(out: string, more: Partial<RunOptions> = {}, change: Partial<RunSource> = {}) {
  const opened: Opened = { closed: false };
  const used = more.plan ?? plan;
  async function* open(): AsyncGenerator<never, RunSource> {
    const source = await tinySource(used, cases);
    return {
      fingerprint: source.fingerprint,
      counts: source.counts,
      batch: (step) => source.batch(step),
      validation: (first, count) => source.validation(first, count),
      close: async () => {
        opened.closed = true;
        await source.close();
      },
      ...change,
    };
  }
  return { plan: used, out, open, device: "cpu" as const, opened, ...more };
}

async function events(run: RunOptions): Promise<RunEvent[]> {
  const all: RunEvent[] = [];
  for await (const event of runPretraining(run)) all.push(event);
  return all;
}

/** Runs until `step` is done and stops then as a signal does. */
function stopAt(step: number, out: string, more: Partial<RunOptions> = {}) {
  const controller = new AbortController();
  const run = options(out, { ...more, signal: controller.signal });
  return (async () => {
    const all: RunEvent[] = [];
    for await (const event of runPretraining(run)) {
      if (event.type === "step" && event.step === step) controller.abort();
      all.push(event);
    }
    return all;
  })();
}

let whole: ReturnType<typeof outcomeOf>;
const wholeRun = join(root, "whole");
const keepAll = (used: Plan) => ({ ...used, checkpoint: { every: used.checkpoint.every, keep: 100 } });

beforeAll(async () => {
  await tinyCases(cases);
  const all = await events(options(wholeRun));
  expect(all.at(-1)).toEqual({ type: "end", step: 6, reason: "finished" });
  whole = outcomeOf(wholeRun);
});

afterEach(() => {
  expect(stats("cpu")).toMatchObject({ liveBytes: 0, liveTensors: 0, liveMasks: 0 });
  expect(leftovers(root)).toEqual([]);
});

test("a run writes plan, metrics, picture and checkpoints", () => {
  expect(Object.keys(whole.files)).toEqual(
    [2, 4, 6].flatMap((step) =>
      ["optimizer.safetensors", "state.json", "weights.safetensors"].map((f) => `step-0000000${step}/${f}`),
    ),
  );
  const steps = whole.metrics.filter((m) => "loss" in m);
  expect(steps.map((m) => m.step)).toEqual([1, 2, 3, 4, 5, 6]);
  expect(Object.keys(steps[0]!)).toEqual(["step", "loss", "gradientNorm", "maskRatio", "lr"]);
  expect(whole.metrics.filter((m) => "validationLoss" in m).map((m) => m.step)).toEqual([3, 6]);
  expect(JSON.parse(readFileSync(join(wholeRun, "plan.json"), "utf8"))).toEqual(plan);
  expect(existsSync(join(wholeRun, "progress.png"))).toBe(true);
});

describe("the same bits after stopping", () => {
  /** Checkpoints of the stopped run beyond those of the plan are its own business. */
  function expectSame(out: string) {
    const found = outcomeOf(out);
    expect(found.metrics).toEqual(whole.metrics);
    expect(found.files).toMatchObject(whole.files);
  }

  test.each([1, 2, 3, 5])("at step %i and resuming", async (step) => {
    const out = freshRun();
    const first = await stopAt(step, out);
    expect(first.at(-1)).toEqual({ type: "end", step, reason: "interrupted" });
    expect(first.at(-2)).toMatchObject({ type: "checkpoint", step });
    const second = await events(options(out, { resume: true }));
    expect(second[0]).toMatchObject({ type: "start", step });
    expect(second.at(-1)).toMatchObject({ step: 6, reason: "finished" });
    expectSame(out);
  });

  test("at every step", async () => {
    const out = freshRun();
    for (let step = 1; step <= 6; step++) await stopAt(step, out, { resume: step > 1 });
    expectSame(out);
  });

  test("with another number of loader threads and another rhythm of checkpoints", async () => {
    const out = freshRun();
    await stopAt(3, out);
    const other = tinyPlan({
      ...plan,
      loader: { workers: 1, prefetch: 3 },
      checkpoint: { every: 1, keep: 9 },
    });
    await events(options(out, { resume: true, plan: other }));
    const found = outcomeOf(out);
    expect(found.metrics).toEqual(whole.metrics);
    for (const file of ["weights", "optimizer"].map((f) => `step-00000006/${f}.safetensors`))
      expect(found.files[file]).toBe(whole.files[file]);
  });

  test("and killing before the next checkpoint, with a torn line at the end of the metrics", async () => {
    const out = freshRun();
    await stopAt(2, out);
    const torn = '{"step":3,"loss":1}\n{"step":4,"lo';
    writeFileSync(join(out, "metrics.jsonl"), readFileSync(join(out, "metrics.jsonl"), "utf8") + torn);
    mkdirSync(join(out, ".tmp-1-0123456789ab"));
    await events(options(out, { resume: true }));
    expectSame(out);
  });
});

describe("resuming is refused", () => {
  let out: string;
  beforeAll(async () => {
    out = freshRun();
    await stopAt(3, out);
  });
  const now = () => outcomeOf(out);

  test("without a checkpoint, and the folder is not made", async () => {
    const none = freshRun();
    const { code, message } = await failure(() => events(options(none, { resume: true })));
    expect(code).toBe("ERR_VOXELSPARK_CHECKPOINT");
    expect(message).toMatch(/holds no checkpoint .* nothing to resume/);
    expect(existsSync(none)).toBe(false);
  });

  test("with another plan, naming the fields", async () => {
    const saved = now();
    const other = tinyPlan({ ...plan, seed: 5, optimizer: { ...plan.optimizer, learningRate: 0.02 } });
    const { code, message } = await failure(() => events(options(out, { resume: true, plan: other })));
    expect(code).toBe("ERR_VOXELSPARK_PLAN");
    expect(message).toMatch(/seed was 0, is now 5/);
    expect(message).toMatch(/optimizer\.learningRate was 0\.1, is now 0\.02/);
    expect(now()).toEqual(saved);
  });

  test("with other data", async () => {
    const saved = now();
    const { code, message } = await failure(() =>
      events(options(out, { resume: true }, { fingerprint: "other" })),
    );
    expect(code).toBe("ERR_VOXELSPARK_DATA");
    expect(message).toMatch(
      /step-00000003 was trained on other data \(fingerprint [0-9a-f]{64}, now other\)/,
    );
    expect(now()).toEqual(saved);
  });

  test("with a foreign folder in place of the checkpoint", async () => {
    const foreign = freshRun();
    mkdirSync(join(foreign, "step-00000001"), { recursive: true });
    writeFileSync(join(foreign, "step-00000001", "state.json"), '{"format":"something else"}');
    const { code, message } = await failure(() => events(options(foreign, { resume: true })));
    expect(code).toBe("ERR_VOXELSPARK_CHECKPOINT");
    expect(message).toMatch(/state\.json: is not of a voxelspark checkpoint: its format is "something else"/);
  });

  test("when the newest checkpoint is damaged, unless it may go back", async () => {
    const weights = join(out, "step-00000003", "weights.safetensors");
    const good = readFileSync(weights);
    const bad = Buffer.from(good);
    bad[bad.length - 5]! ^= 4;
    writeFileSync(weights, bad);
    const { code, message } = await failure(() => events(options(out, { resume: true })));
    expect(code).toBe("ERR_VOXELSPARK_CHECKSUM");
    expect(message).toMatch(/step-00000003.*sha256.*Undamaged: step-00000002/);

    const copy = freshRun();
    for (const name of ["step-00000002", "step-00000003"]) {
      mkdirSync(join(copy, name), { recursive: true });
      for (const file of ["weights.safetensors", "optimizer.safetensors", "state.json"])
        copyFileSync(join(out, name, file), join(copy, name, file));
    }
    copyFileSync(join(out, "metrics.jsonl"), join(copy, "metrics.jsonl"));
    const all = await events(options(copy, { resume: true, allowPrevious: true }));
    expect(all[0]).toMatchObject({
      type: "start",
      step: 2,
      skipped: [expect.stringMatching(/step-00000003/)],
    });
    expect(outcomeOf(copy)).toEqual(whole);
    writeFileSync(weights, good);
  });

  test("a new run in the folder of another", async () => {
    const saved = now();
    const { code, message } = await failure(() => events(options(out)));
    expect(code).toBe("ERR_VOXELSPARK_CHECKPOINT");
    expect(message).toMatch(/already holds a run up to step 3; resume it/);
    expect(now()).toEqual(saved);
  });
});

test("resuming a finished run changes nothing", async () => {
  const all = await events(options(wholeRun, { resume: true }));
  expect(all.map((e) => e.type)).toEqual(["start", "end"]);
  expect(all[1]).toEqual({ type: "end", step: 6, reason: "finished" });
  expect(outcomeOf(wholeRun)).toEqual(whole);
});

test("a second run in a folder that is in use is refused and disturbs nothing", async () => {
  const out = freshRun();
  let refused: Awaited<ReturnType<typeof failure>> | undefined;
  for await (const event of runPretraining(options(out)))
    if (event.type === "step" && event.step === 3)
      refused = await failure(() => events(options(out, { resume: true })));
  expect(refused!.code).toBe("ERR_VOXELSPARK_LOCKED");
  expect(refused!.message).toContain(`in use by process ${process.pid}`);
  expect(outcomeOf(out)).toEqual(whole);
});

describe("memory", () => {
  test("live bytes and tensors are equal at every step boundary", async () => {
    const boundaries = new Set<string>();
    for await (const event of runPretraining(options(freshRun(), { plan: keepAll(plan) })))
      if (event.type === "step") {
        const { liveBytes, liveTensors, liveMasks } = stats("cpu");
        boundaries.add(JSON.stringify({ liveBytes, liveTensors, liveMasks }));
      }
    expect([...boundaries]).toHaveLength(1);
    expect(JSON.parse([...boundaries][0]!).liveTensors).toBeGreaterThan(20);
  });

  // What is freed is checked after every test, see afterEach.
  test("is freed when the consumer leaves in the middle", async () => {
    const run = options(freshRun());
    for await (const event of runPretraining(run)) if (event.type === "step" && event.step === 3) break;
    expect(run.opened.closed).toBe(true);
    const resumed = await events({ ...run, resume: true });
    expect(resumed[0]).toMatchObject({ step: 2 });
    expect(outcomeOf(run.out)).toEqual(whole);
  });

  test.each(["batch", "validation"] as const)("is freed when the source's %s fails", async (method) => {
    const fails = async () => {
      throw new Error("the disk is gone");
    };
    const run = options(freshRun(), {}, { [method]: fails });
    expect((await failure(() => events(run))).message).toBe("the disk is gone");
    expect(run.opened.closed).toBe(true);
  });

  test("is freed when the source cannot be opened, and an empty folder goes", async () => {
    // biome-ignore lint/correctness/useYield: it fails before
    async function* open(): AsyncGenerator<never, RunSource> {
      throw new Error("no such data");
    }
    const run = options(freshRun(), { open });
    expect((await failure(() => events(run))).message).toBe("no such data");
    expect(existsSync(run.out)).toBe(false);
  });

  test("is freed when every gradient is NaN, which ends the run", async () => {
    const nan = async () => ({ patches: new Float32Array(2 * 16 ** 3).fill(Number.NaN), waitSeconds: 0 });
    const run = options(
      freshRun(),
      { plan: tinyPlan({ steps: 40, validation: { patches: 0 }, checkpoint: { every: 50 } }) },
      { batch: nan },
    );
    const { code, message } = await failure(() => events(run));
    expect(code).toBe("ERR_VOXELSPARK_NON_FINITE");
    expect(message).toMatch(/not finite for 20 steps up to step 19; lower the learning rate/);
    rmSync(run.out, { recursive: true });
  });
});

test("a signal during preparation ends the run after the image under way", async () => {
  const controller = new AbortController();
  let done = 0;
  let closed = false;
  async function* open(): AsyncGenerator<never, RunSource> {
    try {
      for (; done < 5; done++)
        yield { done, total: 5, case: "a", path: "a.nii", status: "done", warnings: [] } as never;
      throw new Error("must not be reached");
    } finally {
      closed = true;
    }
  }
  const run = options(freshRun(), { open, signal: controller.signal });
  const all: RunEvent[] = [];
  for await (const event of runPretraining(run)) {
    if (done === 1) controller.abort();
    all.push(event);
  }
  expect(all.map((e) => e.type)).toEqual(["prepare", "prepare", "end"]);
  expect(all.at(-1)).toEqual({ type: "end", step: 0, reason: "interrupted" });
  expect(closed).toBe(true);
});
