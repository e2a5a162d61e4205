/** Whole steps of pre-training on the emulated device, beside the CPU. */
import {
  BlockMask,
  type DeviceName,
  type DType,
  gradNorm,
  maskedMse,
  rng,
  S3D,
  SGD,
  scope,
  Tape,
  tensor,
} from "../../lib";
import { Initializer } from "../../lib/nn/init";
import { relativeError } from "../golden/check";
import { forget, type Steering, schedules, steer } from "./control";

afterAll(forget);

const STEPS = 3;
const k3 = [3, 3, 3] as const;
const visible = Uint8Array.of(1, 0, 0, 1, 0, 0, 1, 0, 0, 1, 1, 0, 0, 0, 0, 1);

function model(norm: "instance" | "batch", device: DeviceName, tokenFolding = true, dtype?: DType): S3D {
  return new S3D(new Initializer(1, device), {
    network: {
      inChannels: 1,
      outChannels: 1,
      features: [4, 8, 12],
      blocks: [1, 1, 1],
      kernels: [k3, k3, k3],
      strides: [
        [1, 1, 1],
        [2, 2, 2],
        [2, 2, 2],
      ],
      norm,
      dtype,
      decoder: { convs: [1, 1] },
    },
    sparse: true,
    maskToken: true,
    densifyConv: true,
    maskInput: true,
    tokenFolding,
  });
}

/** Losses and gradient norms of some steps, then the state of the model. */
async function train(norm: "instance" | "batch", device: DeviceName, steering?: Steering) {
  steer(steering);
  const net = model(norm, device);
  const optimizer = new SGD(net.parameters(), { momentum: 0.9, nesterov: true, weightDecay: 3e-5, clip: 1 });
  const curve: number[] = [];
  for (let step = 0; step < STEPS; step++) {
    const [loss, size] = scope(() => {
      const data = rng(1, step, "test").fillNormal(new Float32Array(2 * 8 ** 3));
      const x = tensor(data, [2, 1, 8, 8, 8], { device });
      const mask = new BlockMask({ samples: 2, grid: [2, 2, 2], visible });
      const tape = new Tape();
      const loss = tape.record(() => maskedMse(net.forward(x, mask), x, mask));
      tape.backward(loss);
      const norm = optimizer.step(0.05);
      optimizer.zeroGrad();
      return [loss, norm] as const;
    });
    curve.push(await loss.item(), await size.item());
    loss.dispose();
    size.dispose();
  }
  const state: [string, Float32Array][] = [];
  for (const [name, t] of net.state()) state.push([name, (await t.data()) as Float32Array]);
  optimizer.dispose();
  net.dispose();
  return { curve, state };
}

test.each(["instance", "batch"] as const)("a small S3D with %s norms learns as on the CPU", async (norm) => {
  const cpu = await train(norm, "cpu");
  const cuda = await train(norm, "cuda");
  cpu.curve.forEach((v, i) => {
    expect(Math.abs((cuda.curve[i] as number) / v - 1)).toBeLessThan(1e-4);
  });
  expect(cuda.state.map(([name]) => name)).toEqual(cpu.state.map(([name]) => name));
  const all = (state: typeof cpu.state) => Float32Array.from(state.flatMap(([, v]) => [...v]));
  expect(relativeError(all(cuda.state), all(cpu.state))).toBeLessThan(1e-4);
  expect(await train(norm, "cuda", schedules[2])).toEqual(cuda);
});

/** Prediction and gradients of a step on blocks of 8 and 4 voxels, where folding pays: joined above, alone below. */
async function folded(
  device: DeviceName,
  tokenFolding: boolean,
  dtype?: DType,
): Promise<Map<string, ArrayLike<number>>> {
  steer(schedules[2]);
  const net = model("instance", device, tokenFolding, dtype);
  const found = new Map<string, ArrayLike<number>>();
  const tape = new Tape();
  const { y, loss } = scope(() => {
    const data = rng(1, 0, "test").fillNormal(new Float32Array(2 * 16 ** 3));
    const x = tensor(data, [2, 1, 16, 16, 16], { device });
    const mask = new BlockMask({ samples: 2, grid: [2, 2, 2], visible });
    return tape.record(() => {
      const y = net.forward(x, mask);
      return { y, loss: maskedMse(y, x, mask) };
    });
  });
  tape.backward(loss);
  found.set("prediction", await y.data());
  for (const [name, p] of net.parameters()) if (p.grad) found.set(name, await p.grad.data());
  for (const made of [y, loss, net]) made.dispose();
  return found;
}

test("tokens are folded as on the CPU, and change nothing but rounding", async () => {
  const [cuda, plain, cpu] = [
    await folded("cuda", true),
    await folded("cuda", false),
    await folded("cpu", true),
  ];
  expect(cuda.get("prediction")).not.toEqual(plain.get("prediction")); // another path was taken
  for (const [name, wanted] of cuda) {
    if (/conv\.bias$/.test(name)) continue; // before a norm: no gradient but rounding
    for (const other of [plain, cpu])
      expect({ name, error: relativeError(other.get(name) as ArrayLike<number>, wanted) }).toEqual({
        name,
        error: expect.toBeAtMost(1e-4),
      });
  }
});

test("in bf16, folding errs no more than filling does", async () => {
  const dtype = "bfloat16";
  const wanted = await folded("cuda", false);
  /** Norm of all errors relative to that of all values. */
  const error = (found: Awaited<ReturnType<typeof folded>>) => {
    let [errors, squares] = [0, 0];
    for (const [name, w] of wanted)
      for (let i = 0; i < w.length && !/conv\.bias$/.test(name); i++) {
        errors += ((found.get(name)?.[i] as number) - (w[i] as number)) ** 2;
        squares += (w[i] as number) ** 2;
      }
    return Math.sqrt(errors / squares);
  };
  const [plain, own] = [await folded("cuda", false, dtype), await folded("cuda", true, dtype)];
  expect(own.get("prediction")).not.toEqual(plain.get("prediction"));
  expect(error(plain)).toBeLessThanOrEqual(0.05);
  expect(error(own)).toBeLessThanOrEqual(1.5 * error(plain));
  expect(await folded("cuda", true, dtype)).toEqual(own);
});

test("the norm of more tensors than one launch takes", async () => {
  const norms = await Promise.all(
    (["reference", "cuda"] as const).map((device) => {
      const norm = scope(() =>
        gradNorm(
          Array.from({ length: 120 }, (_, i) => {
            const t = tensor(rng(1, i, "test").fillNormal(new Float32Array(1 + i * 7)), [1 + i * 7], {
              device,
              requiresGrad: true,
            });
            t.grad = t;
            return t;
          }),
        ),
      );
      return norm.item().finally(() => norm.dispose());
    }),
  );
  expect(Math.abs((norms[1] as number) / (norms[0] as number) - 1)).toBeLessThan(1e-6);
});

test.each([Number.NaN, Number.POSITIVE_INFINITY])("a gradient of %p changes nothing", async (bad) => {
  const [w, g] = [
    tensor([1, 2], [2], { device: "cuda", requiresGrad: true }),
    tensor([1, bad], [2], { device: "cuda" }),
  ];
  const optimizer = new SGD([["w", w]], { momentum: 0.9, nesterov: true, clip: 1 });
  w.grad = g;
  const norm = optimizer.step(0.1);
  expect(await norm.item()).not.toBe(0);
  expect(Array.from(await w.data())).toEqual([1, 2]);
  optimizer.zeroGrad();
  for (const t of [norm, optimizer, w, g]) t.dispose();
});
