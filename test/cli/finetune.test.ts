/** `finetune` from the command line: from a run of pre-training to predictions of the held-out case. */
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type FinetunePlanArgs, finetunePlanOf } from "../../lib/cli/finetune-plan";
import { writePhantomDataset } from "../../lib/data/phantom-dataset";
import { openPretrained } from "../../lib/runs/pretrained";
import { failure, temporaryFolder } from "../data/temp";
import { TUNE } from "../finetune-fixtures";
import { leftovers, outcomeOf } from "../fixtures";
import { pretrainedRun } from "../runs/pretrained-run";
import { cli, jsonOf, start } from "./cli";

jest.setTimeout(120_000);
const root = temporaryFolder();
const data = join(root, "data");
const planFile = join(root, "tune.json");
let pretrained: string;
let base: string[];

beforeAll(async () => {
  for await (const _ of writePhantomDataset(data, 3, {
    shape: [20, 18, 22],
    seed: 1,
    training: 2,
    keep: ["whiteMatter"],
  }));
  pretrained = await pretrainedRun(root);
  const { channels: _, labels: __, network: ___, patch: ____, ...rest } = TUNE;
  const plan = {
    ...rest,
    checkpoint: { every: 4, keep: 9 },
    preprocessing: { spacing: null },
    prediction: { mirroring: [] },
  };
  writeFileSync(planFile, JSON.stringify(plan));
  base = ["finetune", "--data", data, "--pretrained", pretrained, "--plan", planFile, "--preset", "tiny"];
});

test("an interrupted run goes on to the same bits, predicts the held-out case and sums it up", async () => {
  const [whole, stopped] = [join(root, "whole"), join(root, "stopped")];
  const done = await cli(...base, "--out", whole, "--json");
  expect(done).toMatchObject({ code: 0 });
  expect(done.stderr).toMatch(/loaded +\d+ tensors: encoder\.stem \(4\), encoder\.stages/);
  expect(done.stderr).toMatch(
    /schedule two-stage-warmup.*steps 0 to 1 train heads; steps 2 to 3 train encoder, decoder, heads/,
  );
  expect(done.stderr).toMatch(/whiteMatter \(1\) +\d\.\d{4}/);
  expect(jsonOf(done)).toMatchObject({ step: 8, reason: "finished", out: whole });
  expect(jsonOf(done).validations.map((v: { step: number }) => v.step)).toEqual([3, 6, 8]);
  expect(readdirSync(join(whole, "validation")).sort()).toEqual(["head_002.nii.gz", "summary.json"]);
  const summary = JSON.parse(readFileSync(join(whole, "validation", "summary.json"), "utf8"));
  expect(Object.keys(summary.mean)).toEqual(["1"]);
  const plan = JSON.parse(readFileSync(join(whole, "plan.json"), "utf8"));
  expect(plan.patch).toEqual([16, 16, 16]); // of the pre-training
  expect(plan.labels).toEqual({ labels: { background: 0, whiteMatter: 1 } });

  const running = start(...base, "--out", stopped);
  expect(await running.said(/finetune: \d\/8/)).toBe(true);
  running.child.kill("SIGINT");
  expect(await running.finished).toMatchObject({ code: 130, signal: null });
  expect(existsSync(join(stopped, "final"))).toBe(false);
  const resumed = await cli("finetune", "--data", data, "--out", stopped, "--resume"); // with its own plan
  expect(resumed.stderr).toMatch(/resuming at step \d/);
  expect(resumed.code).toBe(0);
  expect(outcomeOf(stopped).metrics).toEqual(outcomeOf(whole).metrics);
  for (const file of ["final/weights.safetensors", "validation/head_002.nii.gz"])
    expect(readFileSync(join(stopped, file))).toEqual(readFileSync(join(whole, file)));
  expect(leftovers(root)).toEqual([]);
});

describe("the plan", () => {
  const plan = (args: Partial<FinetunePlanArgs> & { resume?: boolean } = {}) =>
    finetunePlanOf({ data, out: join(root, "none"), preset: "tiny", ...args });

  test("without pre-training a new network is trained from scratch", async () => {
    expect(await plan()).toMatchObject({
      transfer: "none",
      schedule: { kind: "from-scratch" },
      patch: [48, 48, 48],
    });
  });

  test("options win over the plan file, the file over the pre-trained network, that over the preset", async () => {
    const found = await plan({
      pretrained,
      plan: planFile,
      steps: 20,
      schedule: "sawtooth",
      transfer: "encoder",
      fold: "all",
    });
    expect(found).toMatchObject({
      steps: 20,
      transfer: "encoder",
      fold: "all",
      patch: [16, 16, 16],
      batch: 2,
    });
    expect(found.schedule).toMatchObject({ kind: "sawtooth", learningRate: 0.01, frozenShare: 0.3 });
    expect(found.network).toMatchObject({ features: [4, 8], inChannels: 1, outChannels: 2 });
  });

  test.each<[string, Partial<FinetunePlanArgs>, string, RegExp]>([
    ["a fold that is none", { fold: "one" }, "ERR_VOXELSPARK_USAGE", /--fold is 'one', allowed are/],
    ["a frozen new encoder", { schedule: "frozen-encoder" }, "ERR_VOXELSPARK_PLAN", /must not be frozen/],
    [
      "no pre-training there",
      { pretrained: "/nowhere" },
      "ERR_VOXELSPARK_CHECKPOINT",
      /\/nowhere does not exist/,
    ],
    ["a data set as pre-training", { pretrained: data }, "ERR_VOXELSPARK_CHECKPOINT", /holds no checkpoint/],
    [
      "a plan file as pre-training",
      { pretrained: planFile },
      "ERR_VOXELSPARK_CHECKPOINT",
      /is no folder; --pretrained takes/,
    ],
    [
      "a plan of other labels",
      { plan: join(root, "labels.json") },
      "ERR_VOXELSPARK_PLAN",
      /labels\.labels\.\w+ is .* in the plan/,
    ],
  ])("%s is refused", async (_, args, code, message) => {
    writeFileSync(join(root, "labels.json"), '{"labels": {"labels": {"background": 0, "other": 1}}}');
    const error = await failure(() => plan(args));
    expect(error.code).toBe(code);
    expect(error.message).toMatch(message);
  });
});

test("pre-trained weights: a checkpoint of a run, a file", async () => {
  const folder = join(pretrained, "step-00000002");
  for (const path of [pretrained, folder, join(folder, "weights.safetensors")]) {
    const { plan, step, weights, close } = await openPretrained(path);
    expect(weights.has("encoder.stem.convs.0.conv.weight")).toBe(true);
    expect([plan?.name, step]).toEqual(path.endsWith("safetensors") ? [undefined, undefined] : ["tiny", 2]);
    await close();
  }
});
