/** Sliding-window prediction of a volume in memory with ResEnc-L, beside PyTorch with nnU-Net's choices. */
import { resetPeak, type Slab, slidingWindow, stats, type Tensor, tensor } from "../../../lib";
import { createFinetunePlan } from "../../../lib/plans/finetune";
import { rng } from "../../../lib/random";
import { buildSegmenter } from "../../../lib/recipes/segmenter";
import { Peer } from "../../peers/peer";
import { planFor } from "../model";
import { dry, type Part, peerDevice, python, requireGpu } from "../part";
import { type Precision, planPrecision, planPrecisions } from "../precisions";

const CLASSES = 3;
const volume = dry ? ([16, 16, 24] as const) : ([240, 320, 240] as const);
const labels = { labels: { background: 0, one: 1, two: 2 } };
const { patch, network } = planFor("fp32", "s3d");
const size = dry ? { patch, network: { ...network, outChannels: CLASSES } } : {};
const plan = createFinetunePlan({ channels: ["T1"], labels, ...size });

/** Everything up to the label map, as `predict` does it without files and resampling. */
async function labelsOf(
  network: (x: Tensor) => Tensor,
  image: Tensor,
): Promise<{ windows: number; voxels: number }> {
  let [windows, voxels] = [0, 0];
  const paint = ({ logits }: Slab) => {
    voxels += logits.length / CLASSES;
  };
  for await (const { done, slab } of slidingWindow([network], image, {
    patch: plan.patch,
    channels: CLASSES,
  })) {
    windows = done;
    if (slab) paint(slab);
  }
  return { windows, voxels };
}

async function ours(part: Part, precision: Precision): Promise<void> {
  using model = buildSegmenter(plan, "cuda", planPrecision(precision));
  const drawn = rng(5, 0, "bench").fillNormal(new Float32Array(volume[0] * volume[1] * volume[2]));
  using image = tensor(drawn, [1, 1, ...volume], { device: "cuda" });
  for (const measured of [false, true]) {
    resetPeak("cuda");
    const began = performance.now();
    const { windows, voxels } = await labelsOf((x) => model.forward(x), image);
    const seconds = (performance.now() - began) / 1e3;
    if (!measured)
      part.check("every voxel is predicted", voxels === drawn.length, `${voxels} of ${drawn.length}`);
    else
      part.add("predictions", {
        ...{ by: "voxelspark", precision, seconds, windows },
        peakBytes: stats("cuda").peakBytes,
      });
  }
}

async function theirs(part: Part, precision: string): Promise<void> {
  const { features, blocks } = plan.network;
  const args = [
    ...["--volume", ...volume, "--patch", plan.patch[0], "--features", ...features, "--blocks", ...blocks],
    ...["--channels", CLASSES, "--device", peerDevice, "--precision", precision],
  ].map(String);
  using peer = (await Peer.start(python, "predict.py", args)).peer;
  await peer.ask({ cmd: "predict" });
  const { seconds, windows, peakBytes } = (await peer.ask({ cmd: "predict" })) as Record<string, number>;
  part.add("predictions", {
    by: "PyTorch",
    precision,
    seconds: seconds!,
    windows: windows!,
    peakBytes: peakBytes!,
  });
}

export default async function predict(part: Part): Promise<void> {
  requireGpu();
  const own = planPrecisions();
  // Beside each other first, should time run out: weights take seconds to draw, and PyTorch to start.
  for (const precision of (["fp16", "fp32", "bf16"] as const).filter((p) => own.includes(p))) {
    await part.attempt(`our prediction in ${precision}`, () => ours(part, precision));
    if (precision === "fp32" || (precision === "fp16" && !dry))
      await part.attempt(`PyTorch's prediction in ${precision}`, () => theirs(part, precision));
  }
}
