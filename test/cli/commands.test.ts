/** The commands as a user types them, on small heads: what they print, write and exit with. */
import { cpSync, existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import yargs from "yargs";
import { type PlanArgs, planOf, planOptions } from "../../lib/cli/options";
import { writePhantoms } from "../../lib/data/phantoms";
import { failure, temporaryFolder } from "../data/temp";
import { leftovers, metricsOf, outcomeOf, tinyPlan, tinySource } from "../fixtures";
import { cli, type Finished, jsonOf, main, planFile } from "./cli";

jest.setTimeout(180_000);
const root = temporaryFolder();
const at = (...parts: string[]) => join(root, ...parts);
const images = at("data", "images");
let plan: string[];

beforeAll(async () => {
  for await (const _ of writePhantoms(at("data"), 3, { shape: [20, 22, 18], seed: 1 }));
  plan = planFile(root);
});

/** No bar, colour or carriage return: stderr goes to a file or a pipe here. */
const plain = (text: string) => {
  expect(text).not.toContain("\r");
  expect(text).not.toContain("\u001b");
};

describe("help and usage", () => {
  test("every command has help", async () => {
    const names = ["info", "preprocess", "pretrain", "reconstruct", "predict", "evaluate"];
    const [all, ...each] = await Promise.all([cli("--help"), ...names.map((name) => cli(name, "--help"))]);
    expect(all!.code).toBe(0);
    for (const name of names) expect(all!.stdout).toMatch(new RegExp(`voxelspark ${name} +\\S`));
    each.forEach((help, i) => {
      expect(help).toMatchObject({ code: 0, stderr: "" });
      expect(help.stdout).toMatch(new RegExp(`voxelspark ${names[i]}`));
    });
    const options = [
      "data",
      "out",
      "plan",
      "preset",
      "patch",
      "steps",
      "seed",
      "device",
      "threads",
      "resume",
      "dry-run",
    ];
    for (const option of options) expect(each[2]!.stdout).toContain(`--${option} `);
  });

  test.each([
    ["no command", [], /Name a command/],
    ["an unknown command", ["pretrian"], /Did you mean pretrain\?/],
    ["a command far from all", ["frob"], /'frob' is no command/],
    ["an unknown option", ["info", "--jsno"], /Unknown argument: jsno\. Did you mean --json\?/],
    [
      "impossible threads",
      ["preprocess", "--data", "x", "--out", "x", "--threads", "0"],
      /--threads is 0, allowed are whole/,
    ],
    ["a missing option", ["preprocess", "--data", "x"], /Missing required argument: out/],
    ["no data", ["pretrain", "--out", "x"], /pretrain needs --data and --out/],
    [
      "words for numbers",
      ["pretrain", "--dry-run", "--steps", "many"],
      /--steps needs a value that is a number/,
    ],
    [
      "words among numbers",
      ["pretrain", "--dry-run", "--spacing", "1", "x", "1"],
      /--spacing needs a value that is a number/,
    ],
    ["no value", ["pretrain", "--dry-run", "--threads"], /--threads needs a value/],
    ["no run", ["report"], /report needs a file or folder/],
    ["an empty value", ["pretrain", "--data", "", "--out", "x"], /--data needs a value/],
    [
      "a patch of two axes",
      ["pretrain", "--dry-run", "--patch", "8,8"],
      /--patch is '8,8', allowed are one whole/,
    ],
    ["an unknown device", ["pretrain", "--dry-run", "--device", "tpu"], /Choices: "auto", "cpu", "cuda"/],
    ["an unknown preset", ["pretrain", "--dry-run", "--preset", "huge"], /Choices: "s3d", "small", "tiny"/],
    [
      "going back without resuming",
      ["pretrain", "--data", "x", "--out", "x", "--allow-previous"],
      /needs --resume/,
    ],
  ])("%s: exit 2", async (_, args, message) => {
    const { code, stdout, stderr } = await cli(...args);
    expect(stderr).toMatch(message);
    expect(stderr).toMatch(/\[ERR_VOXELSPARK_USAGE\]\nRun `voxelspark --help`/);
    expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
  });
});

test("info: a text on stderr, JSON on stdout if asked", async () => {
  const [text, json] = await Promise.all([cli("info"), cli("info", "--json")]);
  expect(text).toMatchObject({ code: 0, stdout: "" });
  expect(text!.stderr).toMatch(/^voxelspark \d+\.\d+\.\d+, Node v.*\nCPU: .*\nGPU: /);
  expect(json).toMatchObject({ code: 0, stderr: "" });
  expect(jsonOf(json!)).toMatchObject({ version: expect.any(String), threads: expect.any(Number) });
});

test("pretrain --dry-run: parameters and memory, of a GPU's step too where there is none", async () => {
  const told = await cli("pretrain", "--dry-run", "--device", "cuda", "--precision", "bf16", "--json");
  expect(told.code).toBe(0);
  expect(jsonOf(told)).toEqual({
    parameters: 110_203_205,
    ...{ device: "cuda", precision: "bf16" },
    peakBytes: expect.any(Number),
    residentBytes: expect.any(Number),
  });
  expect(told.stderr).toMatch(
    /110,203,205 parameters\npeak memory of a step [\d.]+ GiB[^\n]*\ncounted for device cuda in bf16/,
  );
});

test("--cuda-graph and --no-cuda-graph win over the plan's field", async () => {
  const path = at("graph.json");
  writeFileSync(path, JSON.stringify({ cudaGraph: true }));
  const read = async (...args: string[]) =>
    (await planOf((await planOptions(yargs(args)).parse()) as unknown as PlanArgs)).cudaGraph;
  expect(await read("--preset", "tiny")).toBe(false);
  expect(await read("--preset", "tiny", "--cuda-graph")).toBe(true);
  expect(await read("--preset", "tiny", "--plan", path)).toBe(true);
  expect(await read("--preset", "tiny", "--plan", path, "--no-cuda-graph")).toBe(false);
});

describe("preprocess, pretrain, reconstruct", () => {
  const [cases, run] = [at("cases"), at("run")];
  let trained: Finished;

  test("preprocess makes cases and redoes nothing", async () => {
    const args = ["preprocess", "--data", images, "--out", cases, ...plan, "--json"];
    const first = await cli(...args);
    expect(first.code).toBe(0);
    expect(jsonOf(first)).toEqual({
      done: 3,
      current: 0,
      failed: 0,
      failures: [],
      warnings: [],
      others: [],
      folder: cases,
    });
    expect(first.stderr).toMatch(/preprocess: 3\/3 \| phantom-002/);
    plain(first.stderr);
    expect(readdirSync(cases).sort()).toEqual(["phantom-000.zarr", "phantom-001.zarr", "phantom-002.zarr"]);
    expect(jsonOf(await cli(...args))).toMatchObject({ done: 0, current: 3 });
  });

  test("preprocess tells of cases whose images are gone or do not fit any more", async () => {
    const [data, out] = [at("fewer"), at("fewer-cases")];
    cpSync(images, data, { recursive: true });
    cpSync(cases, out, { recursive: true });
    rmSync(join(data, "phantom-001.nii.gz"));
    writeFileSync(join(data, "phantom-002.nii.gz"), "no image");
    const result = await cli("preprocess", "--data", data, "--out", out, ...plan, "--json");
    expect(jsonOf(result)).toMatchObject({ failed: 1, others: ["phantom-001", "phantom-002"] });
    expect(result.stderr).toMatch(/also holds 2 cases of other or earlier images: phantom-001, phantom-002/);
  });

  test("pretrain leaves plan, metrics, picture and checkpoints", async () => {
    trained = await cli("pretrain", "--data", cases, "--out", run, ...plan, "--threads", "1", "--json");
    expect(trained.stderr).toMatch(/2 cases train, 1 validate/);
    expect(trained.stderr).toMatch(/pretrain: 4\/4 \| loss/);
    plain(trained.stderr);
    expect(trained.code).toBe(0);
    expect(jsonOf(trained)).toMatchObject({ step: 4, reason: "finished", leftOut: [], out: run });
    expect(readdirSync(run).sort()).toEqual(
      [
        "metrics.jsonl",
        "plan.json",
        "progress.png",
        ...[1, 2, 3, 4].map((step) => `step-0000000${step}`),
      ].sort(),
    );
    const line = JSON.parse(readFileSync(join(run, "metrics.jsonl"), "utf8").split("\n")[0]!);
    expect(Object.keys(line)).toEqual(
      expect.arrayContaining(["step", "loss", "lr", "seconds", "dataWaitSeconds", "maskRatio"]),
    );
    expect(jsonOf(trained).loss).toBe(metricsOf(run).findLast((m) => "loss" in m)!.loss);
    expect(existsSync(join(run, "progress.png"))).toBe(true);
  });

  test("pretrain directly on images gives the same bits", async () => {
    const direct = at("direct");
    const { code, stderr } = await cli(
      "pretrain",
      "--data",
      images,
      "--out",
      direct,
      ...plan,
      ...["--workers", "1", "--threads", "2"],
    );
    expect(stderr).toMatch(/preprocess: 3\/3/);
    expect(code).toBe(0);
    expect(metricsOf(direct)).toEqual(metricsOf(run));
    const weights = (files: Record<string, string>) =>
      Object.entries(files).filter(([file]) => file.endsWith(".safetensors"));
    expect(weights(outcomeOf(direct).files)).toEqual(weights(outcomeOf(run).files));
    expect(leftovers(direct)).toEqual([]);
  });

  test("the plan of a run reproduces it", async () => {
    const again = at("again");
    const options = ["--plan", join(run, "plan.json"), "--data", cases, "--out", again];
    expect((await cli("pretrain", ...options)).code).toBe(0);
    expect(outcomeOf(again)).toEqual(outcomeOf(run));
  });

  test.each([
    ["run folder", run],
    ["checkpoint", join(run, "step-00000002")],
  ])("reconstruct from a %s", async (_, checkpoint) => {
    const [image, out] = [join(images, "phantom-001.nii.gz"), at(`reconstruction-${checkpoint.length}`)];
    const done = await cli(
      "reconstruct",
      "--checkpoint",
      checkpoint,
      "--image",
      image,
      "--out",
      out,
      "--json",
    );
    expect(done.code).toBe(0);
    plain(done.stderr);
    const result = jsonOf(done);
    expect(result.maskedMse).toBeGreaterThan(0);
    expect(result.baselineMse).toBeGreaterThan(0);
    for (const file of [result.picture, result.nifti, result.masked]) expect(existsSync(file)).toBe(true);
    expect(readdirSync(out).sort()).toEqual(["masked.nii.gz", "reconstruction.nii.gz", "reconstruction.png"]);
    expect(readFileSync(result.picture).subarray(1, 4).toString()).toBe("PNG");
  });

  test("cases that were made otherwise than the plan says are refused", async () => {
    const out = at("other-spacing");
    const { code, stderr } = await cli(
      "pretrain",
      "--data",
      cases,
      "--out",
      out,
      ...plan,
      "--spacing",
      "2",
      "2",
      "2",
    );
    expect(stderr).toMatch(/Case phantom-000 was preprocessed with spacing null, the plan says \[2,2,2\]/);
    expect(code).toBe(1);
    expect(existsSync(out)).toBe(false);
  });

  test("cases of other channels than the network's are refused", async () => {
    const two = tinyPlan({ network: { inChannels: 2, outChannels: 2 }, preprocessing: { spacing: null } });
    const { code, message } = await failure(() => tinySource(two, cases));
    expect(code).toBe("ERR_VOXELSPARK_DATA");
    expect(message).toMatch(/Case phantom-000 has 1 channel; allowed are 2, the plan's network.inChannels/);
  });

  test("the median spacing is worked out once and recorded", async () => {
    const out = at("median");
    const median = planFile(root, { preprocessing: { spacing: "median" }, steps: 1 }, "median.json");
    expect((await cli("pretrain", "--data", images, "--out", out, ...median)).code).toBe(0);
    const { spacing } = JSON.parse(readFileSync(join(out, "plan.json"), "utf8")).preprocessing;
    expect(spacing).toEqual([190 / 22, 190 / 22, 190 / 22].map((v) => expect.closeTo(v, 3)));
    const resumed = await cli("pretrain", "--data", images, "--out", out, ...median, "--resume");
    expect(resumed).toMatchObject({ code: 0 });
    expect(resumed.stderr).toMatch(/finished at step 1/);
  });
});

test("the pipe of a reader that leaves early is no error", async () => {
  const { execFileSync } = await import("node:child_process");
  const command = `"${process.execPath}" "${main}" --help | head -1`;
  expect(
    execFileSync("bash", ["-o", "pipefail", "-c", command], { cwd: join(__dirname, "../..") }).toString(),
  ).toMatch(/^voxelspark/);
});
