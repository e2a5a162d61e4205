/** The command `pretrain --device cuda` on the emulated device, as users call it. */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { writeNifti } from "../../lib/data/nifti-writer";
import { type Finished, jsonOf, planFile, startWith } from "../cli/cli";
import { tinyCases } from "../fixtures";
import { steer } from "./control";

const folder = mkdtempSync(join(tmpdir(), "voxelspark-cuda-"));
const [cases, at] = [join(folder, "cases"), (name: string) => join(folder, name)];
beforeAll(() => tinyCases(cases));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function pretrain(out: string, device: "cpu" | "cuda", ...more: string[]) {
  const plan = planFile(folder, { steps: 3, validation: { every: 3, patches: 1 } });
  return startWith(
    {},
    "pretrain",
    "--data",
    cases,
    "--out",
    at(out),
    ...plan,
    "--device",
    device,
    "--json",
    ...more,
  );
}

const losses = (out: string) =>
  readFileSync(join(at(out), "metrics.jsonl"), "utf8")
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as { loss?: number })
    .flatMap(({ loss }) => (loss === undefined ? [] : [loss]));
const checkpoints = (out: string) => readdirSync(at(out)).filter((name) => name.startsWith("step-"));
const well = ({ code, stderr }: Finished) =>
  expect({ code, stderr }).toEqual({ code: 0, stderr: expect.anything() });

test("learns as on the CPU, and says where it runs", async () => {
  const [cpu, cuda] = await Promise.all([pretrain("cpu", "cpu").finished, pretrain("cuda", "cuda").finished]);
  well(cpu);
  well(cuda);
  expect(cuda.stderr).toMatch(/cuda \(emulated device\)/);
  expect(losses("cuda")).toHaveLength(3);
  losses("cpu").forEach((loss, i) => {
    expect(Math.abs((losses("cuda")[i] as number) / loss - 1)).toBeLessThan(1e-4);
  });
});

test("in bf16 on the device; the CPU goes on with the weights in fp32", async () => {
  const own = mkdtempSync(join(folder, "half-"));
  const small = {
    patch: [8, 8, 8],
    steps: 2,
    mask: { block: 4 },
    validation: { every: 2, patches: 1 },
  } as const;
  const run = join(own, "run");
  const args = ["--data", cases, "--out", run, ...planFile(own, small), "--precision", "bf16", "--json"];
  well(await startWith({}, "pretrain", ...args, "--device", "cuda").finished);
  expect(JSON.parse(readFileSync(join(run, "plan.json"), "utf8"))).toMatchObject({ precision: "bf16" });
  const image = join(own, "image.nii.gz");
  const data = Float32Array.from({ length: 1000 }, (_, i) => i);
  await writeNifti(image, {
    data,
    shape: [10, 10, 10],
    affine: [1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1],
  });
  const filled = ["--checkpoint", run, "--image", image, "--out", join(own, "picture"), "--device", "cpu"];
  well(await startWith({}, "reconstruct", ...filled).finished);
});

test("a device that fails in the middle: a typed error, the last checkpoint is whole and goes on", async () => {
  const run = pretrain("failing", "cuda");
  steer({ launches: 250 }, run.child.pid);
  const failed = await run.finished;
  expect(failed.code).toBe(1);
  expect(failed.stderr).toMatch(/CUDA failed in .+: cudaErrorLaunchFailure/);
  expect(checkpoints("failing").length).toBeGreaterThan(0);
  expect(checkpoints("failing").length).toBeLessThan(3);
  const resumed = await pretrain("failing", "cuda", "--resume").finished;
  well(resumed);
  expect(jsonOf(resumed)).toMatchObject({ step: 3, reason: "finished" });
  expect(losses("failing").at(-1)).toBe(losses("cuda").at(-1));
});
