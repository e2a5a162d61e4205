import { BlockMask, conv3d, convTranspose3d, scope, Tape, type Tensor, tensor, zeros } from "../../lib";
import { launch } from "../../lib/launch";
import { type GoldenCase, goldenCases } from "../golden/golden";

const devices = ["cpu", "reference"] as const;

function close(found: ArrayLike<number>, wanted: ArrayLike<number>, exact: boolean): void {
  expect(found.length).toBe(wanted.length);
  let scale = 1e-6;
  for (let i = 0; i < wanted.length; i++) scale = Math.max(scale, Math.abs(wanted[i] as number));
  let worst = 0;
  for (let i = 0; i < wanted.length; i++)
    worst = Math.max(worst, Math.abs((found[i] as number) - (wanted[i] as number)));
  expect(worst / scale).toBeLessThanOrEqual(exact ? 0 : 1e-5);
}

/** The golden values of a case, forward and backward, on one device. */
async function check(c: GoldenCase, device: (typeof devices)[number]): Promise<void> {
  // An all-visible mask is a dense tensor: BlockMask refuses it.
  const mask = c.mask?.visible.includes(0) ? new BlockMask(c.mask) : undefined;
  const leaf = (name: string, at?: BlockMask) => {
    const g = c.inputs[name];
    return g && tensor(g.data, g.shape, { device, requiresGrad: true, mask: at });
  };
  const x = leaf("x", mask) as Tensor;
  const weight = leaf("weight") as Tensor;
  const bias = leaf("bias");
  const tape = new Tape();
  const y = scope(() =>
    tape.record(() =>
      c.op === "conv3d"
        ? conv3d(x, weight, bias, { stride: c.attributes.stride, padding: c.attributes.padding })
        : convTranspose3d(x, weight, bias),
    ),
  );
  const upstream = tensor(c.upstream.y!.data, c.upstream.y!.shape, { device, mask });
  tape.backward(y, upstream);
  close(await y.data(), c.outputs.y!.data, c.exact);
  for (const [name, t] of Object.entries({ x, weight, bias }))
    if (t) close(await t.grad!.data(), c.grads[name]!.data, c.exact);
  for (const t of [x, weight, bias, y, upstream, mask]) t?.dispose();
}

describe.each(["conv3d", "conv_transpose3d"])("%s golden values", (op) => {
  test.each(goldenCases(op).map((c) => [c.name, c] as const))("%s", async (_, c) => {
    for (const device of devices) await check(c, device);
  });
});

describe("refused calls name the value found and what is allowed", () => {
  const x = zeros([2, 3, 6, 6, 6]);
  const weight = zeros([5, 3, 3, 3, 3]);
  const maskOf = (samples: number, cells: number) =>
    new BlockMask({
      samples,
      grid: [cells, 1, 1],
      visible: Uint8Array.from({ length: samples * cells }, (_, i) => i % cells && 1),
    });
  const [two, three, single] = [maskOf(2, 2), maskOf(2, 3), maskOf(1, 2)];
  const sparse = zeros([2, 3, 6, 6, 6], { mask: two });
  afterAll(() => {
    for (const t of [x, weight, sparse, two, three, single]) t.dispose();
  });

  const calls: Record<string, [() => unknown, "SHAPE" | "RANGE", string]> = {
    "other channels": [
      () => conv3d(zeros([1, 4, 6, 6, 6]), weight),
      "SHAPE",
      "weight (5, 3, 3, 3, 3) takes 3 channels, x has 4",
    ],
    "rank of x": [
      () => conv3d(zeros([3, 6]), weight),
      "SHAPE",
      "x has shape (3, 6), allowed is (N, C, D, H, W)",
    ],
    "rank of the weight": [() => conv3d(x, zeros([5, 3])), "SHAPE", "weight has shape (5, 3)"],
    bias: [() => conv3d(x, weight, zeros([4])), "SHAPE", "bias has shape (4), allowed is (5)"],
    stride: [() => conv3d(x, weight, undefined, { stride: [1, 0, 1] }), "RANGE", "stride is (1, 0, 1)"],
    padding: [
      () => conv3d(x, weight, undefined, { padding: [3, 0, 0] }),
      "RANGE",
      "padding is (3, 0, 0), allowed are 0 to one less than the kernel (3, 3, 3)",
    ],
    "kernel above the size": [
      () => conv3d(zeros([1, 3, 2, 6, 6]), weight),
      "SHAPE",
      "is larger than the input (2, 6, 6)",
    ],
    "cells that do not divide the output": [
      () => conv3d(x, weight, undefined, { mask: three }),
      "SHAPE",
      "size (4, 4, 4) is not a multiple of the mask's cells (3, 1, 1)",
    ],
    "mask of another batch": [
      () => conv3d(x, weight, undefined, { mask: single, padding: [1, 1, 1] }),
      "SHAPE",
      "the mask has 1 samples, the tensor 2",
    ],
    "two masks": [
      () => conv3d(sparse, weight, undefined, { mask: three, padding: [1, 1, 1] }),
      "SHAPE",
      "one and the same mask object",
    ],
    "sparse weight": [() => conv3d(x, sparse), "SHAPE", "weight has a mask"],
    "gradient of another size": [
      () => launch("conv3d_grad_input", [zeros([2, 5, 6, 6, 6]), weight], { size: [6, 6, 6] }),
      "SHAPE",
      "makes an output of (4, 4, 4), gy has (6, 6, 6)",
    ],
    "gradient without a size": [
      () => launch("conv3d_grad_input", [zeros([2, 5, 6, 6, 6]), weight], {}),
      "SHAPE",
      "size is (0, 0, 0)",
    ],
    "gradient of other channels": [
      () => launch("conv3d_grad_input", [zeros([2, 4, 4, 4, 4]), weight], { size: [6, 6, 6] }),
      "SHAPE",
      "makes 5 channels, gy has 4",
    ],
    "gradient of another batch": [
      () => launch("conv3d_grad_weight", [x, zeros([1, 5, 4, 4, 4])], { kernel: [3, 3, 3] }),
      "SHAPE",
      "x has 2 samples, gy has 1",
    ],
    "kernel that does not make gy": [
      () => launch("conv3d_grad_weight", [x, zeros([2, 5, 4, 4, 4])], { kernel: [1, 3, 3] }),
      "SHAPE",
      "makes an output of (6, 4, 4), gy has (4, 4, 4)",
    ],
    "transposed: other channels": [
      () => convTranspose3d(x, zeros([4, 2, 2, 2, 2])),
      "SHAPE",
      "takes 4 channels, x has 3",
    ],
    "transposed: gradient that is no multiple": [
      () => launch("conv_transpose3d_grad_weight", [x, zeros([2, 5, 12, 12, 13])], {}),
      "SHAPE",
      "(12, 12, 13) is not a multiple",
    ],
    "transposed: kernel that does not divide": [
      () => launch("conv_transpose3d_grad_input", [x, zeros([4, 3, 4, 2, 2])], {}),
      "SHAPE",
      "is not a multiple of the kernel (4, 2, 2)",
    ],
  };
  test.each(Object.entries(calls))("%s", (_, [call, code, sentence]) => {
    expect(() => scope(() => void call())).toThrow(
      expect.objectContaining({
        code: `ERR_VOXELSPARK_${code}`,
        message: expect.stringContaining(sentence),
      }),
    );
  });
});
