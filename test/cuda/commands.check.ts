/** `finetune`, `predict`, `reconstruct` and an example with the emulated device, beside the CPU. */
import { execFile } from "node:child_process";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { promisify } from "node:util";
import { readNifti, writeNifti } from "../../lib";
import { writePhantomDataset } from "../../lib/data/phantom-dataset";
import { phantom } from "../../lib/data/phantoms";
import { type Finished, jsonOf, startWith } from "../cli/cli";
import { temporaryFolder } from "../data/temp";
import { TUNE } from "../finetune-fixtures";
import { metricsOf } from "../fixtures";
import { relativeError } from "../golden/check";
import { pretrainedRun } from "../runs/pretrained-run";

const root = temporaryFolder();
const at = (...parts: string[]) => join(root, ...parts);
const devices = ["cpu", "cuda"] as const;
const names = ["head_002.nii.gz"];

/** A command on both devices at once; both must do well. */
async function both(command: string, out: string, ...args: string[]): Promise<[Finished, Finished]> {
  const run = (device: string) =>
    startWith({}, command, ...args, "--out", at(device, out), "--device", device, "--json").finished;
  const [cpu, cuda] = await Promise.all([run("cpu"), run("cuda")]);
  for (const { code, stderr } of [cpu, cuda])
    expect({ code, stderr }).toEqual({ code: 0, stderr: expect.anything() });
  expect(cuda.stderr).toMatch(/cuda \(emulated device\)/);
  return [cpu, cuda];
}

/** Voxels whose labels differ, of all: near a tie rounding may decide. */
async function differing(...path: string[]): Promise<number> {
  const [a, b] = await Promise.all(devices.map((device) => readNifti(at(device, ...path))));
  expect(b!.shape).toEqual(a!.shape);
  return a!.data.reduce((sum: number, v, i) => sum + Number(v !== b!.data[i]), 0) / a!.data.length;
}

beforeAll(async () => {
  const size: [number, number, number] = [20, 18, 22];
  const options = { shape: size, seed: 1, training: 2, keep: ["whiteMatter" as const] };
  for await (const _ of writePhantomDataset(at("data"), 3, options));
  const { image, shape } = phantom(5, { shape: [20, 22, 18], seed: 1 });
  const affine = [1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1]; // of the spacing that the plans resample to
  await writeNifti(at("images", "a_0000.nii.gz"), { data: image, shape, affine });
  await pretrainedRun(root);
});

test("finetune: losses, validation and predictions of the CPU", async () => {
  const { channels: _, labels: __, network: ___, patch: ____, ...rest } = TUNE;
  const plan = { ...rest, preprocessing: { spacing: null }, prediction: { mirroring: [] }, steps: 4 };
  writeFileSync(at("tune.json"), JSON.stringify(plan));
  const given = ["--data", at("data"), "--pretrained", at("pretrained"), "--plan", at("tune.json")];
  const runs = await both("finetune", "tuned", ...given, "--preset", "tiny");
  const [cpu, cuda] = devices.map((device) => metricsOf(at(device, "tuned"))) as [Line[], Line[]];
  expect(cuda).toHaveLength(cpu.length);
  const losses = (lines: Line[]) => lines.flatMap(({ loss }) => (typeof loss === "number" ? [loss] : []));
  expect(losses(cpu).length).toBeGreaterThanOrEqual(4);
  expect(relativeError(losses(cuda), losses(cpu))).toBeLessThan(1e-3);
  expect(jsonOf(runs[1])).toMatchObject({ step: 4, reason: "finished" });
  expect(readdirSync(at("cuda", "tuned", "validation")).sort()).toEqual([...names, "summary.json"]);
  expect(await differing("tuned", "validation", names[0] as string)).toBeLessThan(0.01);
});
type Line = ReturnType<typeof metricsOf>[number];

test("predict: probabilities and label maps of the CPU, with mirroring", async () => {
  const model = ["-m", at("cpu", "tuned"), "-i", at("images"), "--save_probabilities"];
  const runs = await both("predict", "predicted", ...model, "--step-size", "0.7");
  for (const run of runs) expect(jsonOf(run)).toMatchObject({ done: 1, failed: 0, reason: "finished" });
  const [cpu, cuda] = devices.map((device) => {
    const { buffer } = new Uint8Array(readFileSync(at(device, "predicted", "a.npy")));
    return new Float32Array(buffer, 128); // behind the header
  });
  expect(relativeError(cuda!, cpu!)).toBeLessThan(1e-4);
  expect(await differing("predicted", "a.nii.gz")).toBeLessThan(0.001);
});

test("reconstruct: the volumes and errors of the CPU", async () => {
  const image = ["--image", at("images", "a_0000.nii.gz"), "--checkpoint", at("pretrained")];
  const [cpu, cuda] = (await both("reconstruct", "filled", ...image)).map(jsonOf);
  for (const error of ["maskedMse", "baselineMse"])
    expect(Math.abs(cuda[error] / cpu[error] - 1)).toBeLessThan(1e-4);
  const [a, b] = await Promise.all(
    devices.map((device) => readNifti(at(device, "filled", "reconstruction.nii.gz"))),
  );
  expect(relativeError(Float64Array.from(b!.data), Float64Array.from(a!.data))).toBeLessThan(1e-4);
});

test("the training loop of the examples", async () => {
  const loop = (device: string) =>
    promisify(execFile)(process.execPath, ["--import", "tsx", "examples/training-loop.ts", "2"], {
      cwd: resolve(__dirname, "../.."),
      env: { ...process.env, VOXELSPARK_DEVICE: device },
    });
  const [cpu, cuda] = await Promise.all(devices.map(loop));
  const losses = ({ stdout }: { stdout: string }) => stdout.match(/\d+\.\d+/g)!.map(Number);
  expect(relativeError(losses(cuda!), losses(cpu!))).toBeLessThan(2e-3); // as printed
});
