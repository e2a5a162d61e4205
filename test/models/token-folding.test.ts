/** Where tokens are folded, and that the model's step is the same but for rounding. */
import { scope, Tape, tensor, zeros } from "../../lib";
import { BlockMask } from "../../lib/block-mask";
import { sampleMask } from "../../lib/masking";
import { S3D } from "../../lib/models/s3d";
import { foldingPays } from "../../lib/models/token-folding";
import { Initializer } from "../../lib/nn/init";
import type { Winograd } from "../../lib/ops/conv3d";
import { maskedMse } from "../../lib/ops/masked-mse";
import { rng } from "../../lib/random";
import { relativeError } from "../golden/check";
import { freeAfterEach } from "../lifetime";

freeAfterEach();

const three = [3, 3, 3] as const;
const visible = Uint8Array.of(1, 0, 0, 0, 0, 0, 0, 0);

test.each([
  ["blocks of 8, joined with the upsampled map", 16, three, false, true],
  ["blocks of 4, joined", 8, three, false, false],
  ["blocks of 4, alone", 8, three, true, true],
  ["blocks of 2, alone", 4, three, true, false],
  ["an anisotropic kernel", 16, [1, 3, 3] as const, true, true],
  ["a kernel of 5", 16, [5, 5, 5] as const, true, false],
])("%s", (_, edge, kernel, alone, folded) => {
  const mask = new BlockMask({ samples: 1, grid: [2, 2, 2], visible });
  const shape = [1, 4, edge, edge, edge];
  expect(foldingPays(zeros(shape, { mask }), kernel, alone)).toBe(folded);
  expect(foldingPays(zeros(shape), kernel, alone)).toBe(false);
});

const patch = [32, 48, 32] as const;
const unit = [1, 1, 1] as const;
const two = [2, 2, 2] as const;

async function step(winograd: Winograd, tokenFolding: boolean, densifyConv: boolean) {
  const model = new S3D(new Initializer(5, "cpu"), {
    network: {
      inChannels: 1,
      outChannels: 1,
      features: [8, 12, 16],
      blocks: [1, 1, 1],
      kernels: [three, three, three],
      strides: [unit, two, two],
      norm: "instance",
      winograd,
      decoder: { convs: [2, 1] },
    },
    sparse: true,
    maskToken: true,
    densifyConv,
    maskInput: true,
    tokenFolding,
  });
  const masking = { patch, block: 16, ratio: 0.75, per: "sample" as const };
  const mask = new BlockMask(sampleMask(masking, { seed: 1, step: 0, samples: 2 }));
  const shape = [2, 1, ...patch];
  const x = tensor(rng(7, 0, "test").fillNormal(new Float32Array(2 * 32 * 48 * 32)), shape);
  const tape = new Tape();
  const { y, loss } = scope(() =>
    tape.record(() => {
      const y = model.forward(x, mask);
      return { y, loss: maskedMse(y, x, mask) };
    }),
  );
  tape.backward(loss);
  const found = new Map<string, ArrayLike<number>>([["prediction", await y.data()]]);
  for (const [name, p] of model.parameters()) if (p.grad) found.set(name, await p.grad.data());
  model.dispose();
  return found;
}

describe.each([true, false])("densify convolution %s", (densifyConv) => {
  test.each([
    ["off", 1e-4],
    ["f2", 1e-4],
    ["f4", 2e-3],
  ] as const)("winograd %s: prediction and gradients as without folding", async (winograd, limit) => {
    const plain = await step(winograd, false, densifyConv);
    const folded = await step(winograd, true, densifyConv);
    expect(folded.get("prediction")).not.toEqual(plain.get("prediction")); // another path was taken
    for (const [name, wanted] of plain) {
      // Biases before a norm have no gradient but rounding.
      if (/conv\.bias$/.test(name)) continue;
      expect({ name, error: relativeError(folded.get(name) as ArrayLike<number>, wanted) }).toEqual({
        name,
        error: expect.toBeAtMost(limit),
      });
    }
  });
});
