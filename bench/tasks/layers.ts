/**
 * Layers of ResEnc-L as a plan runs them (Winograd "f4") beside PyTorch, which convolves densely: the dense layers of
 * the decoder, the transposed convolutions, and every convolution of the encoder at 60, 75 and 90 % masked, summed up
 * with the number of times that it occurs.
 *
 * Forward convolutions also beside onnxruntime-node where it is installed.
 *
 *   npm run bench -- layers [--patch 64] [--part dense | encoder] [--peer python]
 */
import { type BlockMask, type Tensor, type Triple, tensor } from "../../lib";
import { launch } from "../../lib/launch";
import { createPlan } from "../../lib/plans/plan";
import { blockMask, normal } from "../fixtures";
import { type Bench, comparison, type PeerName, type Result } from "../harness";
import { findOnnxRuntime, onnxConvolution } from "../peers/onnx";
import { LayerPeers } from "../peers/peer";

interface Layer {
  channels: readonly [number, number];
  /** Edge of the output volume. */
  edge: number;
  kernel: number;
  stride: number;
}

const F4 = 2; // the kernels' attribute `winograd`
const passes = ["forward", "grad_input", "grad_weight"] as const;
type Pass = (typeof passes)[number];
const cube = (n: number): Triple => [n, n, n];
const nameOf = ({ channels, edge, kernel, stride }: Layer) =>
  `${channels.join(" to ")}, ${edge}³, kernel ${kernel}${stride > 1 ? `, stride ${stride}` : ""}`;

/** The convolutions of ResEnc-L's encoder and how often each occurs; the last stages of a small patch are left out. */
function encoderLayers(patch: number): Map<string, { layer: Layer; count: number }> {
  const { features, blocks } = createPlan().network;
  const found = new Map<string, { layer: Layer; count: number }>();
  const add = (layer: Layer) => {
    const entry = found.get(nameOf(layer)) ?? { layer, count: 0 };
    entry.count++;
    found.set(nameOf(layer), entry);
  };
  add({ channels: [1, features[0]!], edge: patch, kernel: 3, stride: 1 });
  for (const [stage, c] of features.entries()) {
    const edge = patch / 2 ** stage;
    const before = features[Math.max(0, stage - 1)]!;
    for (let block = 0; block < blocks[stage]!; block++) {
      const enters = block === 0 && stage > 0;
      add({ channels: [enters ? before : c, c], edge, kernel: 3, stride: enters ? 2 : 1 });
      add({ channels: [c, c], edge, kernel: 3, stride: 1 });
      if (enters && before !== c) add({ channels: [before, c], edge, kernel: 1, stride: 1 });
    }
  }
  return found;
}

/** Operands of a layer and its passes; `free` disposes them. */
function ours({ channels: [c, k], edge, kernel, stride }: Layer, mask?: BlockMask) {
  const input = edge * stride;
  const x = normal([1, c, input, input, input], mask && { mask });
  const gy = normal([1, k, edge, edge, edge], mask && { mask });
  const weight = normal([k, c, kernel, kernel, kernel]);
  const bias = tensor(new Float32Array(k), [k]);
  const how = { stride: cube(stride), padding: cube((kernel - 1) / 2), winograd: F4 };
  const runs: Record<Pass, () => Tensor[]> = {
    forward: () => launch("conv3d_forward", [x, weight, bias], how),
    grad_input: () => launch("conv3d_grad_input", [gy, weight], { ...how, size: cube(input), mask }),
    grad_weight: () => launch("conv3d_grad_weight", [x, gy], { ...how, kernel: cube(kernel), bias: true }),
  };
  return { runs, free: () => [x, gy, weight, bias].forEach((t) => void t.dispose()) };
}

const question = ({ channels, edge, kernel, stride }: Layer, pass: Pass) => ({
  ...{ op: "conv3d", pass, kernel, stride, channels: channels[1] },
  shape: [1, channels[0], ...cube(edge * stride)],
});

async function denseLayers(bench: Bench, peers: LayerPeers, patch: number): Promise<void> {
  const runtime = await findOnnxRuntime();
  if (!runtime && !bench.options.json) console.log("onnxruntime-node is not installed: not measured");
  const dense: Layer[] = [
    { channels: [32, 32], edge: patch, kernel: 3, stride: 1 },
    { channels: [64, 32], edge: patch, kernel: 3, stride: 1 },
    { channels: [64, 64], edge: patch / 2, kernel: 3, stride: 1 },
  ];
  for (const layer of dense) {
    const { runs, free } = ours(layer);
    for (const pass of passes)
      await bench.compare(`dense ${pass}, ${nameOf(layer)}`, [
        { name: "voxelspark", run: runs[pass] },
        ...(await peers.contestants(question(layer, pass))),
      ]);
    // Apart: its threads spin on after a run, into the time of whoever is next.
    const onnx = runtime && (await onnxConvolution(runtime, layer, bench.options.threads));
    if (onnx)
      await bench.compare(`dense forward beside onnxruntime-node, ${nameOf(layer)}`, [
        { name: "voxelspark", run: runs.forward },
        onnx.contestant,
      ]);
    await onnx?.free();
    free();
  }
}

async function transposedLayers(bench: Bench, peers: LayerPeers, patch: number): Promise<void> {
  for (const [c, k, edge] of [
    [64, 32, patch / 2],
    [128, 64, patch / 4],
  ] as const) {
    const x = normal([1, c, edge, edge, edge]);
    const weight = normal([c, k, 2, 2, 2]);
    const bias = tensor(new Float32Array(k), [k]);
    const asked = { op: "conv_transpose3d", pass: "forward", shape: x.shape, channels: k, stride: 2 };
    await bench.compare(`transposed convolution forward, ${c} to ${k}, ${edge}³ to ${2 * edge}³`, [
      { name: "voxelspark", run: () => launch("conv_transpose3d_forward", [x, weight, bias], {}) },
      ...(await peers.contestants(asked)),
    ]);
    for (const t of [x, weight, bias]) t.dispose();
  }
}

const RATIOS = [0, 0.6, 0.75, 0.9];

/** Of all convolutions of the encoder: milliseconds of ours and visible share by mask ratio, milliseconds of the peers. */
interface EncoderTimes {
  totals: number[];
  shares: number[];
  theirs: Record<PeerName, number>;
}

/** Forward and both gradients. */
async function measureEncoder(bench: Bench, peers: LayerPeers, patch: number): Promise<EncoderTimes> {
  const totals = RATIOS.map(() => 0);
  const shares = RATIOS.map(() => 1);
  const theirs = { A: 0, B: 0, C: 0 };
  for (const { layer, count } of encoderLayers(patch).values()) {
    const grid = Math.max(1, patch / 32);
    if (layer.edge % grid !== 0) continue;
    const volume = cube(layer.edge * layer.stride) as [number, number, number];
    const masks = RATIOS.map((ratio) =>
      ratio ? blockMask(volume, (layer.edge * layer.stride) / grid, ratio) : undefined,
    );
    const operands = masks.map((mask) => ours(layer, mask));
    for (const pass of passes) {
      if (layer.channels[0] === 1 && pass === "grad_input") continue; // nobody asks for the image's gradient
      const asked = await peers.contestants(question(layer, pass));
      const rows = await bench.compare(`encoder ${pass}, ${count} × ${nameOf(layer)}`, [
        ...RATIOS.map((ratio, i) => ({
          name: ratio ? `${ratio * 100} % masked` : "dense",
          run: operands[i]!.runs[pass],
        })),
        ...asked.map(({ peer: _, ...contestant }) => contestant),
      ]);
      const time = (i: number) => count * (rows[i] as Result).milliseconds;
      for (const i of RATIOS.keys()) totals[i]! += time(i);
      const of = (peer: PeerName) => time(RATIOS.length + asked.findIndex((a) => a.peer === peer));
      for (const peer of asked.length ? (["A", "B", "C"] as const) : [])
        theirs[peer] += of(asked.some((a) => a.peer === peer) ? peer : "B");
    }
    for (const { free } of operands) free();
    for (const [i, mask] of masks.entries()) {
      if (mask) shares[i] = mask.visibleShare;
      mask?.dispose();
    }
  }
  return { totals, shares, theirs };
}

function tellEncoder({ totals, shares, theirs }: EncoderTimes, patch: number): void {
  console.log(`\nAll convolutions of the encoder, ${patch}³, forward and both gradients`);
  for (const [i, ratio] of RATIOS.entries()) {
    const proportional = totals[0]! * shares[i]!;
    const beside = Object.entries(theirs).map(([p, t]) =>
      t ? `, ${(t / totals[i]!).toFixed(1)} × ${p}` : "",
    );
    console.log(
      `  ${(ratio * 100).toFixed(0).padStart(2)} % masked ${totals[i]!.toFixed(0).padStart(7)} ms, ` +
        `${((100 * totals[i]!) / proportional).toFixed(0)} % of proportional${beside.join("")}`,
    );
  }
}

async function encoder(bench: Bench, peers: LayerPeers, patch: number): Promise<void> {
  const times = await measureEncoder(bench, peers, patch);
  for (const [i, ratio] of RATIOS.entries())
    bench.comparisons.push(
      comparison(`encoder convolutions, ${ratio * 100} % masked`, times.totals[i]!, times.theirs),
    );
  if (!bench.options.json) tellEncoder(times, patch);
}

export default async function layers(bench: Bench): Promise<void> {
  const { patch, part } = bench.options;
  const peers = await LayerPeers.start(bench.options);
  try {
    if (part !== "encoder") await denseLayers(bench, peers, patch);
    if (part !== "encoder") await transposedLayers(bench, peers, patch);
    if (part !== "dense") await encoder(bench, peers, patch);
  } finally {
    peers.stop();
  }
}
