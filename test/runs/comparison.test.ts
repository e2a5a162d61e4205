/** Comparisons end to end on tiny heads: shared pre-training, going on after an interruption, failures, results. */
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseExperiment } from "../../lib/plans/experiment";
import { experimentRuns } from "../../lib/plans/experiment-runs";
import { type Comparison, type ComparisonEvent, runComparison } from "../../lib/runs/comparison";
import { failure, temporaryFolder } from "../data/temp";
import { TINY } from "../fixtures";

jest.setTimeout(120_000);

// Drawing takes most of the time of so small a run; test/cli draws real pictures.
jest.mock("../../lib/runs/progress-picture", () => ({
  drawProgress: async () => {},
  drawTuningProgress: async () => {},
}));

const root = temporaryFolder();
const { mask, network, patch } = TINY;
const loader = { workers: 0 };
const written = {
  name: "<b>tiny</b>",
  preset: "tiny",
  seeds: [0],
  pretraining: {
    phantoms: { count: 2, edge: 16 },
    plan: {
      patch,
      network,
      mask,
      loader,
      steps: 2,
      preprocessing: { spacing: null },
      validation: { patches: 0 },
    },
  },
  finetuning: {
    plan: {
      loader,
      steps: 4,
      validation: { patches: 0 },
      prediction: { mirroring: [] },
    },
  },
  datasets: [
    { name: "Heads", phantoms: { count: 2, edge: 16, first: 5, training: 1, keep: ["whiteMatter"] } },
  ],
  methods: [
    "from-scratch",
    "s3d",
    { name: "Encoder", finetuning: { transfer: "encoder", augmentation: "mirror" } },
  ],
};
const experiment = (changes: object = {}) => parseExperiment({ ...written, ...changes }, root);

interface Ended extends Comparison {
  events: ComparisonEvent[];
}

/** Runs to the end, or until `stop` says so. */
async function compare(
  out: string,
  what = experiment(),
  stop?: (event: ComparisonEvent) => boolean,
): Promise<Ended> {
  const controller = new AbortController();
  const steps = runComparison({ experiment: what, out, device: "cpu", signal: controller.signal });
  const events: ComparisonEvent[] = [];
  for (;;) {
    const next = await steps.next();
    if (next.done) return { ...next.value, events };
    events.push(next.value);
    if (stop?.(next.value)) controller.abort();
  }
}

const states = (events: readonly ComparisonEvent[]) =>
  events.flatMap((e) => (e.type === "run" ? [`${e.kind} ${e.state}`] : []));
/** Without what depends on the clock. */
const numbers = ({ scores, table, results }: Comparison) => ({
  scores,
  table,
  results: results.map(({ seconds: _, ...rest }) => rest),
});

const out = join(root, "whole");
let whole: Ended;
beforeAll(async () => {
  whole = await compare(out);
});

test("methods that pre-train alike share one run; results, tables and a page come out", () => {
  expect(states(whole.events)).toEqual([
    "finetuning new",
    "pretraining new",
    "finetuning new",
    "pretraining finished",
    "finetuning new",
  ]);
  expect(whole).toMatchObject({ interrupted: false, runs: { wanted: 3, finished: 3 }, failures: [] });
  expect(readdirSync(join(out, "pretraining")).filter((name) => name !== "cases")).toHaveLength(1);
  const results = JSON.parse(readFileSync(join(out, "results.json"), "utf8"));
  expect(results.table.rows.map((row: { method: string }) => row.method)).toEqual([
    "From scratch",
    "S3D",
    "Encoder",
  ]);
  expect(results.results[0].classes).toEqual({ whiteMatter: results.results[0].dice });
  expect(readFileSync(join(out, "table.md"), "utf8")).toMatch(
    /^\| Method \| Heads \| Average DSC \| Average rank \|/,
  );
  expect(readFileSync(join(out, "table.csv"), "utf8").split("\n")).toHaveLength(5);
  const page = readFileSync(join(out, "report.html"), "utf8");
  expect(page).toContain("3 of 3 runs");
  expect(page).not.toMatch(/<b>tiny|<script|https?:/);
});

test("interrupted anywhere and run again, it goes on and ends with the same numbers", async () => {
  const part = join(root, "part");
  const atStep = (kind: string, step: number) => {
    let under = "";
    return (event: ComparisonEvent) => {
      if (event.type === "run") under = event.kind;
      return (
        event.type === "training" &&
        event.event.type === "step" &&
        under === kind &&
        event.event.step === step
      );
    };
  };
  const first = await compare(part, experiment(), atStep("finetuning", 2));
  expect(first).toMatchObject({ interrupted: true, runs: { wanted: 3, finished: 0 } });
  const second = await compare(part, experiment(), atStep("pretraining", 1));
  expect(states(second.events)).toEqual(["finetuning resumed", "pretraining new"]);
  const last = await compare(part);
  expect(states(last.events).slice(0, 3)).toEqual([
    "finetuning finished",
    "pretraining resumed",
    "finetuning new",
  ]);
  expect(numbers(last)).toEqual(numbers(whole));
});

test("what is finished is left as it is; a new method runs alone", async () => {
  const time = (folder: string) => statSync(join(out, folder, "validation", "summary.json")).mtimeMs;
  const folders = whole.results.map(({ folder }) => folder);
  const before = folders.map(time);
  const more = experiment({ methods: [...written.methods, { name: "Few steps", finetuning: { steps: 3 } }] });
  const again = await compare(out, more);
  expect(states(again.events)).toEqual([
    ...Array(3).fill("finetuning finished"),
    "pretraining finished",
    "finetuning new",
  ]);
  expect(folders.map(time)).toEqual(before);
  expect(again.runs).toEqual({ wanted: 4, finished: 4 });
});

test("a run that fails is told, and so are those that need it; the others go on", async () => {
  const images = join(root, "images");
  mkdirSync(images);
  writeFileSync(join(images, "broken.nii"), "no image");
  const { pretraining, ...rest } = written;
  const failing = experiment({ ...rest, pretraining: { plan: pretraining.plan, data: "images" } });
  const ended = await compare(join(root, "failing"), failing);
  expect(ended.runs).toEqual({ wanted: 3, finished: 1 });
  expect(ended.failures.map(({ title }) => title)).toEqual([
    "S3D, Heads, seed 0, fold 0",
    "Encoder, Heads, seed 0, fold 0",
  ]);
  expect(ended.failures[0]!.message).toContain("can be used");
  expect(states(ended.events)).toEqual(["finetuning new", "pretraining new"]);
  expect(readFileSync(join(root, "failing", "report.html"), "utf8")).toContain("2 failed");
});

test("a plan that is wrong stops everything before anything is trained", async () => {
  const wrong = experiment({
    methods: ["from-scratch", { name: "Wrong", finetuning: { schedule: { kind: "best" } } }],
  });
  const refused = join(root, "refused");
  expect(await failure(() => compare(refused, wrong))).toMatchObject({
    code: "ERR_VOXELSPARK_PLAN",
    message: /Wrong, Heads, seed 0, fold 0: schedule\.kind must be/,
  });
  expect(existsSync(join(refused, "finetuning"))).toBe(false);
  const elsewhere = experiment({ methods: [{ name: "Elsewhere", pretraining: "no/run" }] });
  expect((await failure(() => compare(refused, elsewhere))).message).toMatch("no/run does not exist");
});

test("weights from elsewhere bring their network along", async () => {
  const [shared] = experimentRuns(experiment()).pretraining;
  const there = join(out, shared!.folder);
  const { preset, seeds, datasets, finetuning } = written;
  const only = {
    name: "elsewhere",
    preset,
    seeds,
    datasets,
    finetuning,
    methods: [{ name: "S3D", pretraining: there }],
  };
  const ended = await compare(join(root, "elsewhere"), parseExperiment(only, root));
  expect(ended.results[0]!.dice).toBe(whole.results[1]!.dice);
});
