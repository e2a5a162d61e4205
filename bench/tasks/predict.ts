/**
 * Sliding-window prediction of a head, from its NIfTI file to the label map in memory, with an untrained network of a
 * preset (three classes); windows overlap by half, no mirroring. Beside it the network alone on as many windows, and
 * nnU-Net's way in PyTorch on a volume in memory (A as it comes, B with malloc told to keep big buffers).
 *
 *   npm run bench -- predict --rounds 1 [--volume 160,192,160] [--network tiny] [--window 48] [--peer python]
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { resetPeak, scope, stats, sync, writeNifti, zeros } from "../../lib";
import { phantom } from "../../lib/data/phantoms";
import { windowStarts } from "../../lib/inference/window";
import { createFinetunePlan, type FinetunePlan } from "../../lib/plans/finetune";
import { buildSegmenter } from "../../lib/recipes/segmenter";
import { predictCase } from "../../lib/runs/prediction";
import type { Bench, Contestant } from "../harness";
import type { BenchOptions } from "../options";
import { findPeerPython, Peer } from "../peers/peer";

type Shape = [number, number, number];

async function timed(work: () => Promise<unknown>): Promise<number> {
  const began = performance.now();
  await work();
  return (performance.now() - began) / 1000;
}

/** A head at 1 mm whose crop is the whole volume. */
async function writeHead(file: string, shape: Shape): Promise<void> {
  const { image, affine } = phantom(0, { shape, spacing: 1 });
  image[0] = 1;
  image[image.length - 1] = 1;
  await writeNifti(file, { data: image, shape, affine });
}

async function peersOf(
  plan: FinetunePlan,
  shape: Shape,
  options: BenchOptions,
): Promise<["A" | "B", Peer][]> {
  const python = findPeerPython(options.peer);
  if (!python) return [];
  const { features, blocks, outChannels } = plan.network;
  const sizes = [
    ...["--volume", ...shape, "--patch", plan.patch[0], "--features", ...features, "--blocks", ...blocks],
    ...["--channels", outChannels, "--threads", options.threads, "--malloc"],
  ].map(String);
  const start = async (malloc: string) => (await Peer.start(python, "predict.py", [...sizes, malloc])).peer;
  return [
    ["A", await start("default")],
    ["B", await start("tuned")],
  ];
}

export default async function predict(bench: Bench): Promise<void> {
  const shape = bench.options.volume.split(",").map(Number) as Shape;
  const labels = { labels: { background: 0, fluid: 1, matter: 2 } };
  const { network: preset, window } = bench.options;
  const patch = window ? { patch: [window, window, window] as Shape } : {};
  const plan = createFinetunePlan({ channels: ["T1"], labels, ...patch }, preset);
  const folder = await mkdtemp(join(tmpdir(), "voxelspark-bench-"));
  using model = buildSegmenter(plan, "cpu");
  const peers = await peersOf(plan, shape, bench.options);
  const memory = new Map<string, number>();
  try {
    const file = join(folder, "head.nii");
    await writeHead(file, shape);
    const windows = shape.map((n, a) => windowStarts(n, plan.patch[a]!).length).reduce((a, b) => a * b, 1);
    const weights = stats("cpu").liveBytes;
    const ours = async () => {
      resetPeak("cpu");
      const seconds = await timed(() => predictCase([{ model, plan }], [file], { mirroring: [] }));
      memory.set("voxelspark, tensors", stats("cpu").peakBytes - weights);
      memory.set("voxelspark, process", process.resourceUsage().maxRSS * 1024);
      return seconds;
    };
    const network = async () => {
      for (let i = 0; i < windows; i++) {
        scope(() => void model.forward(zeros([1, 1, ...plan.patch])));
        await sync();
      }
    };
    const theirs = peers.map(
      ([name, peer]): Contestant => ({
        name: `PyTorch ${name}`,
        peer: name,
        run: async () => {
          const { seconds, peakRssBytes } = await peer.ask({ cmd: "predict" });
          memory.set(`PyTorch ${name}, process`, peakRssBytes as number);
          return seconds as number;
        },
      }),
    );
    await bench.compare(`${shape.join(" × ")}, ${windows} windows of ${plan.patch.join(" × ")}`, [
      { name: "voxelspark", run: ours },
      { name: "its network alone", run: () => timed(network) },
      ...theirs,
    ]);
    bench.remember(memory);
  } finally {
    for (const [, peer] of peers) peer.stop();
    await rm(folder, { recursive: true, force: true });
  }
}
