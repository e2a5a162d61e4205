/** Segmentation loss, the sums of sliding-window prediction, and the metrics, at the sizes of real use. */
import { diceCrossEntropy, gaussianAccumulate, type Tensor, tensor } from "../../lib";
import { launch } from "../../lib/launch";
import { regionAttributes } from "../../lib/ops/regions";
import { normal } from "../fixtures";
import type { Bench } from "../harness";

/** Nested balls of labels 1 … `labels`, off the centre by `shift` voxels. */
function balls(edge: number, labels: number, shift: number): Tensor {
  const data = new Float32Array(edge ** 3);
  const middle = edge / 2;
  let at = 0;
  for (let z = 0; z < edge; z++)
    for (let y = 0; y < edge; y++)
      for (let x = 0; x < edge; x++) {
        const radius = Math.hypot(z - middle, y - middle, x - middle - shift) / (0.45 * edge);
        data[at++] = radius < 1 ? Math.ceil((1 - radius) * labels) : 0;
      }
  return tensor(data, [1, 1, edge, edge, edge]);
}

/** The loss of a patch, and the sums of a window. */
async function losses(bench: Bench, channels: number, edge: number): Promise<void> {
  const logits = normal([1, channels, edge, edge, edge]);
  const labels = balls(edge, channels - 1, 0);
  const [loss, coefficients, scale] = launch("dice_cross_entropy_forward", [logits, labels], {});
  const touch = 4 * (logits.size + labels.size);
  await bench.compare(`dice_cross_entropy, C ${channels}, 96³`, [
    { name: "forward (diceCrossEntropy)", run: () => diceCrossEntropy(logits, labels), bytes: touch },
    {
      name: "backward",
      run: () => launch("dice_cross_entropy_backward", [logits, labels, coefficients, scale, loss], {}),
      bytes: touch + 4 * logits.size,
    },
  ]);
  const [sum, weight] = [normal([1, channels, edge, 160, 160]), normal([1, 1, edge, 160, 160])];
  const window = normal([1, 1, edge, edge, edge]);
  const offset = [0, 30, 30] as const;
  const moved = 4 * (3 * logits.size + 3 * window.size);
  await bench.compare(`gaussian_accumulate, C ${channels}, 96³ into 96 × 160²`, [
    {
      name: "as it is",
      run: () => gaussianAccumulate(sum, weight, logits, { offset, window }),
      bytes: moved,
    },
    {
      name: "mirrored",
      run: () => gaussianAccumulate(sum, weight, logits, { offset, window, flip: [true, true, true] }),
      bytes: moved,
    },
  ]);
  for (const t of [logits, labels, loss, coefficients, scale, sum, weight, window]) t?.dispose();
}

/** What labelCounts and surfaceDice launch. */
async function metrics(bench: Bench): Promise<void> {
  const [p, r] = [balls(256, 4, 1), balls(256, 4, 0)];
  const regions = regionAttributes([1, 2, 3, 4], undefined);
  await bench.compare("metrics of 4 labels, 256³", [
    { name: "labelCounts", run: () => launch("label_counts", [p, r], regions), bytes: 8 * p.size },
    {
      name: "surfaceDice, 1 mm",
      run: () => launch("surface_dice", [p, r], { ...regions, spacing: [1, 1, 1], tolerance: 1 }),
      bytes: 8 * p.size,
    },
  ]);
  for (const t of [p, r]) t.dispose();
}

export default async function run(bench: Bench): Promise<void> {
  await bench.bandwidth();
  for (const channels of [2, 5]) await losses(bench, channels, 96);
  await metrics(bench);
}
