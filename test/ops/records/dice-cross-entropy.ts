import { type DeviceName, diceCrossEntropy, zeros } from "../../../lib";
import { launch } from "../../../lib/launch";
import type { DiceCrossEntropyOptions } from "../../../lib/ops/dice-cross-entropy";
import type { Random } from "../../../lib/random";
import { type OpRecord, type Sample, triple } from "../../op-suite";

/** Labels are -2 … 2: two of them are none. */
function sample(
  size: readonly number[],
  samples: number,
  channels: number,
  options: DiceCrossEntropyOptions,
): Sample {
  return {
    name: `${samples} × ${channels} × ${size}, ${JSON.stringify(options)}`,
    inputs: {
      logits: { shape: [samples, channels, ...size] },
      labels: { shape: [samples, 1, ...size], draw: "integer", constant: true },
    },
    run: ({ logits, labels }) => diceCrossEntropy(logits!, labels!, options),
  };
}

const volume = (device: DeviceName, channels: number, edge = 2) =>
  zeros([1, channels, edge, edge, edge], { device });
const refused = (
  name: string,
  code: "RANGE" | "SHAPE",
  options: DiceCrossEntropyOptions,
  channels = 2,
  edge = 2,
) => ({
  name,
  code,
  call: (d: DeviceName) => diceCrossEntropy(volume(d, channels), volume(d, 1, edge), options),
});

export const record: OpRecord = {
  op: "dice_cross_entropy",
  kernels: ["dice_cross_entropy_forward", "dice_cross_entropy_backward"],
  gradient: "smooth",
  tolerance: 1e-5, // cross-entropy and Dice may nearly cancel
  samples: (random: Random) => [
    sample(triple(random, 3, 9), 1 + random.int(2), 3, {}),
    sample(triple(random, 3, 9), 2, 2, { batchDice: true, ignore: 0 }),
    sample(triple(random, 3, 9), 2, 6, { ignore: 2, diceWeight: 0.5, ceWeight: 2 }),
    sample(triple(random, 3, 9), 2, 3, { regions: [[1, 2], 2, [0, 1]] }),
    sample(triple(random, 3, 9), 2, 2, { regions: [[1, 2], 1], ignore: 0, batchDice: true }),
    sample(triple(random, 3, 5), 1, 1, { regions: [1], smooth: 1 }),
  ],
  large: () => sample([40, 40, 40], 2, 3, { batchDice: true }),
  errors: [
    refused("labels of another size", "SHAPE", {}, 2, 3),
    refused("one channel without regions", "SHAPE", {}, 1),
    refused("more regions than channels", "SHAPE", { regions: [1, 2, 3] }),
    refused("a region without labels", "RANGE", { regions: [1, []] }),
    refused("negative smoothing", "RANGE", { smooth: -1 }),
    refused("infinite weight", "RANGE", { ceWeight: Number.POSITIVE_INFINITY }),
    {
      name: "labels with two channels",
      code: "SHAPE",
      call: (d) => diceCrossEntropy(volume(d, 2), volume(d, 2)),
    },
    {
      name: "coefficients of another shape",
      code: "SHAPE",
      call: (d) => {
        const one = zeros([], { device: d });
        const inputs = [volume(d, 2), volume(d, 1), zeros([1, 3, 2], { device: d }), one, one];
        return launch("dice_cross_entropy_backward", inputs, {});
      },
    },
  ],
};
