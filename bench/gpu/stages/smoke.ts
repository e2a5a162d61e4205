/** The addon as a user meets it: it loads, computes on the CPU and on the GPU, and refuses in sentences. */
import { spawnSync } from "node:child_process";
import { resolve } from "node:path";
import { conv3d, type DeviceName, info, scope, sync, tensor, zeros } from "../../../lib";
import { rng } from "../../../lib/random";
import { distance } from "../cases";
import { trainSteps } from "../model";
import { type Part, requireGpu } from "../part";

const draw = (shape: readonly number[], device: DeviceName) =>
  tensor(rng(0, 0, "bench").fillNormal(new Float32Array(shape.reduce((a, b) => a * b, 1))), shape, {
    device,
  });

async function convolution(device: DeviceName): Promise<Float32Array> {
  const y = scope(() =>
    conv3d(draw([1, 3, 8, 8, 8], device), draw([4, 3, 3, 3, 3], device), undefined, { padding: [1, 1, 1] }),
  );
  try {
    return (await y.data()) as Float32Array;
  } finally {
    y.dispose();
  }
}

async function codeOf(call: () => unknown): Promise<string> {
  try {
    await call();
    return "nothing was thrown";
  } catch (error) {
    return (error as { code?: string }).code ?? String(error);
  }
}

/** Without a visible GPU a process says so, and goes on with its CPU. */
function hidden(part: Part): void {
  const script = `
    const { tensor } = require(${JSON.stringify(resolve(__dirname, "../../../lib"))});
    try { tensor([1], [1], { device: "cuda" }); } catch (error) { console.log(error.code, error.message); }
    tensor([5], [1]).data().then((values) => console.log(values[0]));`;
  const env = { ...process.env, CUDA_VISIBLE_DEVICES: "" };
  const { stdout } = spawnSync(process.execPath, [...process.execArgv, "-e", script], {
    encoding: "utf8",
    env,
  });
  const right = /^ERR_VOXELSPARK_DEVICE .+device 'cpu' works\n5\n$/.test(stdout);
  part.check("a process that sees no GPU", right, stdout.trim().replace("\n", "; "));
}

async function memory(part: Part): Promise<void> {
  const code = await codeOf(() => zeros([1, 1, 1 << 14, 1 << 14, 1 << 14], { device: "cuda" }));
  part.check("more memory than there is", code === "ERR_VOXELSPARK_OUT_OF_MEMORY", code);
  const values = await convolution("cuda");
  part.check("the device goes on after it", values.every(Number.isFinite), `${values.length} finite values`);
}

export default async function smoke(part: Part): Promise<void> {
  const { cuda, ...build } = info();
  part.fact("build", build);
  part.fact("cuda", cuda);
  const cpu = await convolution("cpu");
  part.check(
    "a convolution on the CPU",
    cpu.length === 4 * 8 ** 3 && cpu.every(Number.isFinite),
    `${cpu[0]}`,
  );
  const losses = await trainSteps("cpu", "fp32", { steps: 2 });
  part.check("two steps of a small S3D on the CPU", losses.every(Number.isFinite), losses.join(", "));
  hidden(part);
  requireGpu();
  part.within("a convolution on both devices", distance(await convolution("cuda"), cpu), 1e-6);
  const both = await trainSteps("cuda", "fp32", { steps: 2 });
  part.within("losses of a small S3D on both devices", distance(both, losses), 1e-4);
  await memory(part);
  await sync();
}
