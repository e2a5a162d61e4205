/** What runs in a process of its own, watched by a tool or by the clock: `main.ts watched suite | kernels | form`. */
import { cast, conv3d, scope, sync, type Tensor, type Triple, tensor } from "../../lib";
import { rng } from "../../lib/random";
import { drawValues, runSample } from "../../test/op-suite";
import { type Form, inForm } from "./forms";
import { operands, paperLayers, smallLayers } from "./layers";
import { trainSteps } from "./model";
import { dry } from "./part";
import { kernelPrecisions, planPrecisions } from "./precisions";
import { loadRecords, present } from "./stages/correct";

const cube = (n: number): Triple => [n, n, n];

/** Each op once at small sizes, gradients included, and a step in each precision. */
async function suite(): Promise<void> {
  for (const record of present(loadRecords()).has) {
    const random = rng(11, 0, "test");
    for (const sample of record.samples(random).slice(0, 2)) {
      const ones = (shape: readonly number[]) => new Float32Array(shape.reduce((a, b) => a * b, 1)).fill(1);
      const upstream = record.gradient === "none" ? undefined : ones;
      await runSample(sample, drawValues(random, sample), { device: "cuda", upstream });
    }
    console.log(`done: ${record.op}`);
  }
  for (const precision of planPrecisions()) {
    await trainSteps("cuda", precision, { steps: 1 });
    console.log(`done: step in ${precision}`);
  }
}

/** The convolution that costs most, three quarters masked, forward and both gradients. */
async function kernels(): Promise<void> {
  const layer = (dry ? smallLayers : paperLayers)[0]!;
  const { runs, free } = operands(layer, kernelPrecisions().includes("bf16") ? "bf16" : "fp32", 0.75);
  for (const run of Object.values(runs)) scope(() => void run());
  await sync();
  free();
}

/** Largest distance of values, as a share of the largest one. */
async function distance(a: Tensor, b: Tensor): Promise<number> {
  const [x, y] = [await a.data(), await b.data()];
  let [error, scale] = [0, 1e-30];
  for (let i = 0; i < y.length; i++) {
    error = Math.max(error, Math.abs((x[i] as number) - (y[i] as number)) || (x[i] === y[i] ? 0 : Infinity));
    scale = Math.max(scale, Math.abs(y[i] as number));
  }
  return error / scale;
}

/** Products of warpgroups in the form that the environment names, of every kernel, beside those of warps. */
async function form(): Promise<void> {
  const wanted = process.env.VOXELSPARK_CUDA_WGMMA as Form;
  for (const channels of [64, 128])
    for (const kernel of [3, 1]) {
      const padding = cube((kernel - 1) / 2);
      const draw = (shape: number[], salt: number) =>
        tensor(rng(salt, 0, "bench").fillNormal(new Float32Array(shape.reduce((a, b) => a * b, 1))), shape, {
          device: "cuda",
        });
      using x = scope(() => cast(draw([1, channels, 16, 16, 16], 1), "bfloat16"));
      using weight = draw([channels, channels, ...cube(kernel)], 2);
      const call = () => scope(() => conv3d(x, weight, undefined, { padding }));
      using grouped = await inForm(wanted, async () => call());
      using plain = await inForm("off", async () => call());
      const far = await distance(grouped, plain);
      const what = `${channels} channels, kernel ${kernel}`;
      console.log(`${what}: differs by ${far.toExponential(1)}`);
      if (!(far <= 1 / 64)) throw new Error(`${what}: differs by ${far}, allowed is a rounding, 1/64`);
    }
}

export async function watched(what: string): Promise<number> {
  await { suite, kernels, form }[what as "suite"]();
  await sync();
  return 0;
}
