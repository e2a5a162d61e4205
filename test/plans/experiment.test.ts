import { join, resolve } from "node:path";
import { type Experiment, parseExperiment, readExperiment } from "../../lib/plans/experiment";
import { experimentRuns } from "../../lib/plans/experiment-runs";
import { METHOD_GROUPS, METHODS } from "../../lib/plans/methods";
import { failure } from "../data/temp";

const base = {
  name: "phantoms",
  preset: "tiny",
  seeds: [0, 1, 2],
  pretraining: { data: "images" },
  datasets: [{ name: "heads", data: "Dataset001" }],
  methods: ["from-scratch", "s3d"],
};
const parse = (changes: object) => parseExperiment({ ...base, ...changes }, "/experiments");
const runs = (changes: object) => experimentRuns(parse(changes));
const fault = (changes: object) => failure(() => parse(changes));

describe("experiment file", () => {
  test("paths count from its folder, groups are spelled out, the rest has defaults", () => {
    const experiment = parse({ methods: ["ablation", "s3d", { name: "Mine", pretraining: "runs/s3d" }] });
    expect(experiment.methods.map(({ name }) => name)).toEqual([
      "Dense MAE",
      "Sparse MAE",
      "Sparse MAE with mask token",
      "S3D",
      "Mine",
    ]);
    expect(experiment.methods.at(-1)!.pretraining).toBe(resolve("/experiments/runs/s3d"));
    expect(experiment.datasets[0]!.source).toEqual({ path: resolve("/experiments/Dataset001") });
    expect(experiment.folds).toEqual([0]);
  });

  test.each<[object, RegExp]>([
    [{ seeds: [] }, /seeds must be a list of 1 to 100 seeds, found \[\]/],
    [{ seeds: [1, 1] }, /seeds must differ, found "1" more than once/],
    [{ sedes: [1] }, /sedes is not a key of an experiment; did you mean seeds\?/],
    [{ preset: "huge" }, /preset must be "s3d" or "small" or "tiny", found "huge"/],
    [
      { methods: ["s3e"] },
      /methods\[0\] is "s3e", which is no known method; did you mean s3d\? known: from-scratch/,
    ],
    [{ methods: ["s3d", { name: "S3d" }] }, /methods must differ, found "s3d" more than once/],
    [{ methods: [7] }, /methods\[0\] must be the name of a method or an object, found 7/],
    [{ methods: [{ name: "x", pretrain: {} }] }, /methods\[0\]: pretrain is not a key of a method/],
    [
      { methods: [{ name: "x", pretraining: 3 }] },
      /methods\[0\]: pretraining must be false, the path of a run/,
    ],
    [{ datasets: [{ name: "x" }] }, /datasets\[0\] must have either data or phantoms, found neither/],
    [{ datasets: [{ name: "x", data: "y", phantoms: { count: 2 } }] }, /found both/],
    [
      { datasets: [{ name: "x", data: "y", fold: 1 }] },
      /datasets\[0\]\.fold is not a key of an experiment; allowed here: name, data/,
    ],
    [{ pretraining: undefined }, /pretraining is missing; method "S3D" needs its data/],
    [
      { methods: [{ name: "x", pretraining: { mask: { ratoi: 0.5 } } }] },
      /method "x": mask\.ratoi is not a key of a plan; did you mean ratio/,
    ],
  ])("%j is refused", async (changes, message) => {
    expect(await failure(() => runs(changes))).toMatchObject({ code: "ERR_VOXELSPARK_PLAN", message });
  });

  test("all faults are told at once", async () => {
    const { message } = await fault({ methods: ["s3e", 7], seeds: [1, 1] });
    expect(message.split("\n")).toHaveLength(4);
  });

  test("the example is one", async () => {
    const example = await readExperiment(join(__dirname, "../../examples/experiment.json"));
    expect(experimentRuns(example).finetuning.length).toBeGreaterThan(5);
  });
});

describe("runs", () => {
  test("methods × data sets × seeds × folds, each in a folder of its own", () => {
    const datasets = [...base.datasets, { name: "lesions", phantoms: { count: 4 } }];
    const { pretraining, finetuning } = runs({ datasets, folds: [0, 1] });
    expect(finetuning).toHaveLength(2 * 2 * 3 * 2);
    expect(new Set(finetuning.map(({ folder }) => folder)).size).toBe(finetuning.length);
    expect(pretraining.map(({ plan }) => plan.seed)).toEqual([0, 1, 2]); // data sets and folds share them
    expect(finetuning.filter(({ weights }) => weights === undefined)).toHaveLength(12);
  });

  test("methods that differ in fine-tuning only share a pre-training; one seed of it may serve all", () => {
    const methods = ["s3d", "encoder-only", "schedules", "mask-75", "no-token"];
    const { pretraining } = runs({ methods, pretraining: { data: "images", seed: 5 } });
    expect(pretraining.map(({ methods }) => methods.length)).toEqual([8, 1, 1]);
    expect(new Set(pretraining.map(({ plan }) => plan.seed))).toEqual(new Set([5]));
  });

  test("a folder's name changes with everything that its numbers depend on, and with nothing else", () => {
    const folders = (changes: object) => runs(changes).finetuning.map(({ folder }) => folder);
    const scratchAndS3d = folders({});
    expect(
      folders({ pretraining: { data: "images", plan: { loader: { workers: 0 }, device: "cpu" } } }),
    ).toEqual(scratchAndS3d);
    const other = folders({ pretraining: { data: "others" } });
    expect(other.filter((f) => f.includes("scratch"))).toEqual(
      scratchAndS3d.filter((f) => f.includes("scratch")),
    );
    expect(other.filter((f) => f.includes("s3d"))).not.toEqual(
      scratchAndS3d.filter((f) => f.includes("s3d")),
    );
    expect(folders({ finetuning: { plan: { steps: 7 } } })[0]).not.toEqual(scratchAndS3d[0]);
  });

  test("from scratch has the network that the others pre-train; a method's own settings win", () => {
    const { finetuning } = runs({
      pretraining: { data: "images", plan: { network: { features: [4, 8, 8, 8] } } },
      finetuning: { plan: { steps: 50, schedule: { polyPower: 0.5 } } },
      methods: ["from-scratch", { name: "Mine", finetuning: { steps: 60 } }],
      seeds: [3],
    });
    expect(finetuning.map(({ input }) => input.network?.features)).toEqual([
      [4, 8, 8, 8],
      [4, 8, 8, 8],
    ]);
    expect(finetuning.map(({ input }) => [input.steps, input.seed, input.transfer])).toEqual([
      [50, 3, "none"],
      [60, 3, undefined],
    ]);
  });

  test("every method known by name makes a valid plan", () => {
    const methods = [...METHODS.keys()];
    expect(runs({ methods }).finetuning).toHaveLength(3 * methods.length);
    for (const names of METHOD_GROUPS.values())
      for (const name of names) expect(METHODS.has(name)).toBe(true);
    const experiment: Experiment = parse({ methods: ["from-scratch", { name: "None", pretraining: false }] });
    expect(experiment.methods[1]!.finetuning).toEqual({ transfer: "none" });
  });
});
