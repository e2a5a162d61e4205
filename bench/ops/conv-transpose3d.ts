/** Transposed convolutions of the decoder, held against the multiply-add peak, a memory floor and PyTorch. */
import { convTranspose3d, type Tensor } from "../../lib";
import { launch } from "../../lib/launch";
import { normal } from "../fixtures";
import type { Bench, Contestant } from "../harness";
import { findPeerPython, Peer } from "../peers/peer";

/** Channels in and out, edge of the input. */
const layers = [
  [64, 32, 48],
  [128, 64, 24],
  [256, 128, 12],
  [320, 320, 5],
] as const;

export default async function run(bench: Bench): Promise<void> {
  const python = findPeerPython(bench.options.peer);
  const threads = ["--threads", `${bench.options.threads}`];
  const peer = python ? (await Peer.start(python, "ops.py", threads)).peer : undefined;
  for (const [c, k, edge] of layers) {
    const shape = [1, c, edge, edge, edge];
    const x = normal(shape);
    const gy = normal([1, k, 2 * edge, 2 * edge, 2 * edge]);
    const weight = normal([c, k, 2, 2, 2]);
    const bias = normal([k]);
    const passes: Record<string, () => Tensor[]> = {
      forward: () => [convTranspose3d(x, weight, bias)],
      grad_input: () => launch("conv_transpose3d_grad_input", [gy, weight], {}),
      grad_weight: () => launch("conv_transpose3d_grad_weight", [x, gy], { bias: true }),
    };
    for (const [pass, ours] of Object.entries(passes)) {
      const ask = (layout: string): Contestant => ({
        name: `PyTorch ${layout}`,
        run: async () => {
          const message = { cmd: "run", op: "conv_transpose3d", pass, shape, channels: k, stride: 2, layout };
          return (await (peer as Peer).ask({ ...message, repeats: 2 })).seconds as number;
        },
      });
      await bench.compare(`${pass}, ${c} to ${k}, ${edge}³ to ${2 * edge}³`, [
        {
          name: "dense",
          run: ours,
          flops: 2 * c * k * 8 * edge ** 3,
          bytes: 4 * (x.size + gy.size + weight.size),
        },
        bench.peak(),
        ...(peer ? ["contiguous", "channels_last"].map(ask) : []),
      ]);
    }
    for (const t of [x, gy, weight, bias]) t.dispose();
  }
  peer?.stop();
}
