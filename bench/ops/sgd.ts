/** The optimiser on as many values as ResEnc-L S3D has, in 264 tensors of its sizes. */
import { gradNorm, SGD, type Tensor, zeros } from "../../lib";
import { normal } from "../fixtures";
import type { Bench } from "../harness";

const features = [32, 64, 128, 256, 320, 320];
const blocks = [1, 3, 4, 6, 6, 6];

/** Weights, biases, gammas and betas of the encoder's units. */
function shapes(): number[][] {
  const list: number[][] = [];
  features.forEach((c, stage) => {
    for (let block = 0; block < 2 * (blocks[stage] as number); block++)
      list.push([c, block ? c : (features[Math.max(0, stage - 1)] as number), 3, 3, 3], [c], [c], [c]);
  });
  return list;
}

export default async function run(bench: Bench): Promise<void> {
  await bench.bandwidth();
  const parameters = new Map<string, Tensor>(
    shapes().map((s, i) => [`${i}`, zeros(s, { requiresGrad: true })]),
  );
  let size = 0;
  for (const p of parameters.values()) {
    p.grad = normal(p.shape);
    size += p.size;
  }
  const gradients = [...parameters.values()].map((p) => p.grad as Tensor);
  const optimizer = new SGD(parameters, { momentum: 0.99, nesterov: true, weightDecay: 3e-5, clip: 12 });
  await bench.compare(`optimiser, ${(size / 1e6).toFixed(1)} M parameters in ${parameters.size} tensors`, [
    { name: "grad_norm", run: () => gradNorm(gradients), bytes: 4 * size },
    { name: "SGD step (norm, clip, Nesterov)", run: () => optimizer.step(1e-4), bytes: 6 * 4 * size },
  ]);
  optimizer.dispose();
  for (const p of parameters.values()) p.dispose();
}
