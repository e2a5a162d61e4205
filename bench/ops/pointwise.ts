/** add, cast, leaky_relu, scale, residual, concat, avg_pool3d, apply_mask, densify and the loss at the sizes of a 96³ step. */
import {
  add,
  applyMask,
  avgPool3d,
  cast,
  concat,
  densify,
  leakyRelu,
  maskedMse,
  residual,
  scale,
  tensor,
} from "../../lib";
import { launch } from "../../lib/launch";
import { blockMask, normal } from "../fixtures";
import type { Bench } from "../harness";

export default async function run(bench: Bench): Promise<void> {
  await bench.bandwidth();
  const edge = 96;
  const shape = [1, 32, edge, edge, edge];
  const mask = blockMask([edge, edge, edge], 16, 0.75);
  const [x, b] = [normal(shape), normal(shape)];
  const sparse = applyMask(x, mask);
  const token = tensor(new Float32Array(32).fill(0.5), [32]);
  const touch = 4 * x.size;
  const seen = touch * mask.visibleShare;
  await bench.compare("elementwise, C 32, 96³", [
    { name: "add", run: () => add(x, b), bytes: 3 * touch },
    { name: "cast to its own type", run: () => cast(x, "float32"), bytes: 2 * touch },
    { name: "scale", run: () => scale(x, 0.5), bytes: 2 * touch },
    { name: "residual", run: () => residual(x, b), bytes: 3 * touch },
    { name: "accumulate", run: () => launch("accumulate", [x, b], {}), bytes: 3 * touch },
    { name: "leaky_relu forward", run: () => leakyRelu(x), bytes: 2 * touch },
    {
      name: "leaky_relu backward",
      run: () => launch("leaky_relu_backward", [x, b], {}),
      bytes: 3 * touch,
    },
  ]);
  const half = normal([1, 32, edge / 2, edge / 2, edge / 2]);
  await bench.compare("avg_pool3d 2³, C 32, 96³", [
    { name: "forward", run: () => avgPool3d(x), bytes: touch * 1.125 },
    { name: "backward", run: () => launch("avg_pool3d_backward", [half], {}), bytes: touch * 1.125 },
    { name: "forward, 75 % masked", run: () => avgPool3d(sparse), bytes: seen * 1.125 },
  ]);
  const joined = normal([1, 64, edge, edge, edge]);
  await bench.compare("concat 32 + 32 channels, 96³", [
    { name: "forward", run: () => concat(x, b), bytes: 4 * touch },
    {
      name: "backward",
      run: () => launch("concat_backward", [joined], { channels: [32, 32] }),
      bytes: 4 * touch,
    },
  ]);
  await bench.compare("mask and densify, C 32, 96³, 75 % masked, block 16", [
    { name: "apply_mask", run: () => applyMask(x, mask), bytes: 2 * seen },
    { name: "densify with token", run: () => densify(sparse, token), bytes: seen + touch },
    {
      name: "gradient of the token",
      run: () => launch("densify_token_gradient", [x, token], { mask }),
      bytes: touch - seen,
    },
  ]);
  const [p, t] = [normal([4, 1, edge, edge, edge]), normal([4, 1, edge, edge, edge])];
  const masks = blockMask([edge, edge, edge], 16, 0.75, 4);
  const loss = maskedMse(p, t, masks);
  const hidden = 4 * p.size * (1 - masks.visibleShare);
  await bench.compare("masked_mse, 4 × 1 × 96³, 75 % masked", [
    { name: "forward", run: () => maskedMse(p, t, masks), bytes: 2 * hidden },
    {
      name: "backward",
      run: () => launch("masked_mse_backward", [p, t, loss], { mask: masks }),
      bytes: 2 * hidden + 4 * p.size,
    },
  ]);
  for (const d of [x, b, sparse, token, half, joined, p, t, loss, mask, masks]) d.dispose();
}
