/** Normalisation forward and backward beside PyTorch; floors are the bytes that must move. */
import { maskedNorm, type Tensor, tensor } from "../../lib";
import { launch } from "../../lib/launch";
import { blockMask, normal } from "../fixtures";
import type { Bench, Contestant } from "../harness";
import { findPeerPython, Peer } from "../peers/peer";

/** Channels and volume edge. */
const layers = [
  [32, 96],
  [64, 48],
  [128, 24],
  [320, 8],
  [1, 96],
] as const;

async function compareLayer(
  bench: Bench,
  peer: Peer | undefined,
  [channels, edge]: (typeof layers)[number],
  ratio: number,
): Promise<void> {
  const shape = [1, channels, edge, edge, edge];
  const mask = ratio ? blockMask([edge, edge, edge], edge / 4, ratio) : undefined;
  const x = normal(shape, { mask });
  const gy = normal(shape, { mask });
  const gamma = tensor(new Float32Array(channels).fill(1.5), [channels]);
  const beta = tensor(new Float32Array(channels).fill(0.1), [channels]);
  const statistics = launch("masked_norm_forward", [x, gamma, beta], { slope: 0.01 });
  const touch = 4 * x.size * (mask?.visibleShare ?? 1);
  const ask = async (pass: string) =>
    (await peer?.ask({ cmd: "run", op: "instance_norm_leaky_relu", pass, shape, repeats: 3 }))
      ?.seconds as number;
  const theirs = (pass: string): Contestant[] =>
    peer && !mask ? [{ name: `PyTorch ${pass}`, run: () => ask(pass) }] : [];
  await bench.compare(`masked_norm + leaky ReLU, C ${channels}, ${edge}³, ${ratio * 100} % masked`, [
    {
      name: "forward (statistics, apply)",
      run: () => maskedNorm(x, gamma, beta, { kind: "instance", slope: 0.01 }),
      bytes: 3 * touch,
    },
    ...theirs("forward"),
    {
      name: "backward (sums, gradient)",
      run: () =>
        launch("masked_norm_backward", [x, gy, statistics[1], statistics[2], gamma, beta], {
          slope: 0.01,
        }),
      bytes: 5 * touch,
    },
    ...theirs("backward"),
  ]);
  for (const t of [x, gy, gamma, beta, ...(statistics as Tensor[]), mask]) t?.dispose();
}

export default async function run(bench: Bench): Promise<void> {
  await bench.bandwidth();
  const python = findPeerPython(bench.options.peer);
  const peer = python
    ? (await Peer.start(python, "ops.py", ["--threads", `${bench.options.threads}`])).peer
    : undefined;
  for (const layer of layers) for (const ratio of [0, 0.75]) await compareLayer(bench, peer, layer, ratio);
  peer?.stop();
}
