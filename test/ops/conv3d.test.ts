import { BlockMask, conv3d, convTranspose3d, scope, Tape, type Tensor, tensor } from "../../lib";
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
