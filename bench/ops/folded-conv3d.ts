/**
 * Skips filled by a token and convolved, plain beside folded, forward and backward together: the decoder's
 * convolution of [upsampled, skip] and the densify convolution at the levels of a 96³ step, 75 % masked.
 */
import { concat, conv3d, densify, foldedConv3d, maskedNorm, Tape, type Tensor, tokenAffine } from "../../lib";
import { blockMask, normal } from "../fixtures";
import type { Bench } from "../harness";

const winograd = "f4";
const instance = { kind: "instance" } as const;

function plain(features: Tensor, token: Tensor, weight: Tensor, bias: Tensor, up?: Tensor): Tensor {
  const filled = densify(maskedNorm(features, undefined, undefined, instance), token);
  return conv3d(up ? concat(up, filled) : filled, weight, bias, { padding: [1, 1, 1], winograd });
}

function folded(features: Tensor, token: Tensor, weight: Tensor, bias: Tensor, up?: Tensor): Tensor {
  const { gamma, beta } = tokenAffine(token);
  const offset = maskedNorm(features, gamma, beta, instance);
  return foldedConv3d({ offset, token }, weight, bias, { up, winograd });
}

/** Channels and volume edge of the levels. */
const levels = [
  [32, 96],
  [64, 48],
  [128, 24],
  [256, 12],
  [320, 6],
] as const;

async function compareLevel(
  bench: Bench,
  [channels, edge]: (typeof levels)[number],
  joined: boolean,
): Promise<void> {
  const mask = blockMask([edge, edge, edge], edge / 3, bench.options.ratio);
  const grad = { requiresGrad: true };
  const features = normal([1, channels, edge, edge, edge], { mask, ...grad });
  const up = joined ? normal([1, channels, edge, edge, edge], grad) : undefined;
  const token = normal([1, channels, 1, 1, 1], grad);
  const weight = normal([channels, joined ? 2 * channels : channels, 3, 3, 3], grad);
  const bias = normal([channels], grad);
  const gy = normal([1, channels, edge, edge, edge]);
  const inputs = [features, token, weight, bias, up];
  const contestant = (name: string, forward: typeof plain) => {
    const forwardOnly = {
      name: `${name} forward`,
      run: () => forward(features, token, weight, bias, up),
    };
    const both = () => {
      const tape = new Tape();
      tape.backward(
        tape.record(() => forward(features, token, weight, bias, up)),
        gy,
      );
      for (const t of inputs) t?.zeroGrad();
    };
    return [forwardOnly, { name: `${name} forward and backward`, run: both }];
  };
  const what = joined ? "decoder" : "densify";
  await bench.compare(`${what} convolution, C ${channels}, ${edge}³, blocks ${edge / 3}³`, [
    ...contestant("plain", plain),
    ...contestant("folded", folded),
  ]);
  for (const t of [...inputs, gy, mask]) t?.dispose();
}

export default async function run(bench: Bench): Promise<void> {
  for (const level of levels) for (const joined of [true, false]) await compareLevel(bench, level, joined);
}
