/**
 * Convolutions by the direct engine: forward, input gradient and weight gradient of the layers of ResEnc-L, dense and
 * with a quarter of the blocks visible, held against the processor's multiply-add peak of the same minute and, with
 * `--peer`, against PyTorch in its two memory layouts. GFLOP/s count visible voxels only.
 */
import type { BlockMask, Tensor, Triple } from "../../lib";
import { launch } from "../../lib/launch";
import { blockMask, normal } from "../fixtures";
import type { Bench, Contestant, Result } from "../harness";
import { findPeerPython, Peer } from "../peers/peer";

interface Layer {
  channels: [number, number];
  /** Edge of the input volume and of its blocks. */
  edge: number;
  block: number;
  kernel?: number;
  stride?: number;
}

const layers: Layer[] = [
  { channels: [32, 32], edge: 64, block: 32 },
  { channels: [64, 64], edge: 48, block: 16 },
  { channels: [64, 32], edge: 48, block: 16 },
  { channels: [128, 128], edge: 24, block: 8 },
  { channels: [256, 256], edge: 12, block: 4 },
  { channels: [320, 320], edge: 10, block: 2 },
  { channels: [32, 64], edge: 64, block: 32, stride: 2 },
  { channels: [32, 64], edge: 48, block: 16, kernel: 1 },
  { channels: [1, 32], edge: 64, block: 32 },
];

const cube = (n: number): Triple => [n, n, n];
const passes = ["forward", "grad_input", "grad_weight"] as const;

/** The three passes of a layer with the operands that they share. */
function operands({ channels: [c, k], edge, block, kernel = 3, stride = 1 }: Layer, ratio: number) {
  const mask = ratio ? blockMask([edge, edge, edge], block, ratio) : undefined;
  const out = edge / stride;
  const x = normal([1, c, edge, edge, edge], { mask });
  const gy = normal([1, k, out, out, out], { mask });
  const weight = normal([k, c, kernel, kernel, kernel]);
  const bias = normal([k]);
  const how = { stride: cube(stride), padding: cube((kernel - 1) / 2) };
  const runs: Record<(typeof passes)[number], () => Tensor[]> = {
    forward: () => launch("conv3d_forward", [x, weight, bias], how),
    grad_input: () => launch("conv3d_grad_input", [gy, weight], { ...how, size: cube(edge), mask }),
    grad_weight: () => launch("conv3d_grad_weight", [x, gy], { ...how, kernel: cube(kernel), bias: true }),
  };
  const flops = 2 * c * k * kernel ** 3 * out ** 3 * (mask?.visibleShare ?? 1);
  return { runs, flops, tensors: [x, gy, weight, bias, mask] as (Tensor | BlockMask | undefined)[] };
}

function theirs(peer: Peer, pass: string, layer: Layer, layout: string): Contestant {
  const { channels, edge, kernel = 3, stride = 1 } = layer;
  const shape = [1, channels[0], edge, edge, edge];
  const message = {
    cmd: "run",
    op: "conv3d",
    pass,
    shape,
    channels: channels[1],
    kernel,
    stride,
    layout,
    repeats: 2,
  };
  return { name: `PyTorch ${layout}`, run: async () => (await peer.ask(message)).seconds as number };
}

/** Shares of the peak; that of the dense time is in the table. */
function say(rows: readonly Result[]): void {
  const [dense, sparse, peak] = rows as [Result, Result, Result];
  const share = (r: Result) =>
    `${(((r.gigaflops as number) / (peak.gigaflops as number)) * 100).toFixed(0)} %`;
  console.log(`  dense ${share(dense)}, sparse ${share(sparse)} of the peak`);
}

export default async function run(bench: Bench): Promise<void> {
  const python = findPeerPython(bench.options.peer);
  const threads = ["--threads", `${bench.options.threads}`];
  const peer = python ? (await Peer.start(python, "ops.py", threads)).peer : undefined;
  for (const layer of layers) {
    const [dense, sparse] = [operands(layer, 0), operands(layer, 0.75)];
    for (const pass of passes) {
      const { channels, edge, block, kernel = 3, stride = 1 } = layer;
      const rows = await bench.compare(
        `${pass}, ${channels.join(" to ")}, ${edge}³, kernel ${kernel}, stride ${stride}`,
        [
          { name: "dense", run: dense.runs[pass], flops: dense.flops },
          { name: `75 % masked, blocks of ${block}`, run: sparse.runs[pass], flops: sparse.flops },
          bench.peak(),
          ...(peer ? ["contiguous", "channels_last"].map((l) => theirs(peer, pass, layer, l)) : []),
        ],
      );
      if (!bench.options.json) say(rows);
    }
    for (const t of [...dense.tensors, ...sparse.tensors]) t?.dispose();
  }
  peer?.stop();
}
