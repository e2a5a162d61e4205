/**
 * The whole pre-training step of the paper (ResEnc-L, 160³, batch 6) at 60, 75 and 90 % masked, in every precision that
 * plans know, beside two PyTorch peers: as the public implementations do it (dense convolution times mask, norms by
 * gather and scatter, float16 autocast, eager), and at its best (bfloat16, masked sums, channels last where faster,
 * compiled norms). Ours takes its patches from JavaScript's memory in every step, theirs lie on the GPU.
 */
import { resetPeak, stats, sync } from "../../../lib";
import { Peer } from "../../peers/peer";
import { planFor, stepData, Trainer } from "../model";
import { dry, type Part, peerDevice, python, requireGpu, type StepTime } from "../part";
import { type Precision, planPrecisions } from "../precisions";

const RATIOS = [0.75, 0.6, 0.9];
const WARM_UP = 2;
const STEPS = dry ? 2 : 5;
const preset = "s3d";

/** Median, quartiles and peak of some steps. */
function summary(times: readonly number[]): Pick<StepTime, "seconds" | "quartiles"> {
  const sorted = [...times].sort((a, b) => a - b);
  const at = (q: number) => sorted[Math.floor((sorted.length - 1) * q)] as number;
  return { seconds: at(0.5), quartiles: [at(0.25), at(0.75)] };
}

/** Launched anew, or repeated as CUDA graphs: a peer of its own, to see whether that pays. */
async function ours(part: Part, precision: Precision, cudaGraph = false): Promise<void> {
  const plan = { ...planFor(precision, preset), cudaGraph };
  const by = cudaGraph ? "voxelspark as CUDA graphs" : "voxelspark";
  using trainer = new Trainer(plan, "cuda");
  for (const ratio of RATIOS) {
    const data = Array.from({ length: WARM_UP + 1 }, (_, i) => stepData(plan, i, ratio));
    const times: number[] = [];
    resetPeak("cuda");
    for (let i = 0; i < WARM_UP + STEPS; i++) {
      const began = performance.now();
      await trainer.step(data[i % data.length]!, 1e-3);
      await sync();
      if (i >= WARM_UP) times.push((performance.now() - began) / 1e3);
    }
    const peakBytes = stats("cuda").peakBytes;
    part.add("steps", { by, precision, ratio, ...summary(times), peakBytes });
  }
}

interface Style {
  name: string;
  precision: string;
  args: string[];
}

const styles: Style[] = [
  { name: "PyTorch as published", precision: "fp16", args: ["--norm", "gather", "--precision", "fp16"] },
  {
    name: "PyTorch at its best",
    precision: "bf16",
    args: ["--norm", "sums", "--precision", "bf16", "--best"],
  },
];

async function theirs(part: Part, { name, precision, args }: Style): Promise<void> {
  const plan = planFor("fp32", preset);
  const { features, blocks } = plan.network;
  const sizes = [
    ...[
      "--patch",
      plan.patch[0],
      "--batch",
      plan.batch,
      "--block-edge",
      plan.mask.block,
      "--mask-ratio",
      RATIOS[0],
    ],
    ...["--features", ...features, "--blocks", ...blocks, "--device", peerDevice, "--warm-up", WARM_UP],
  ].map(String);
  // float16 on a CPU is emulated, slower than anything that it would show.
  const possible = args.map((arg) => (dry && arg === "fp16" ? "bf16" : arg));
  const { peer, ready } = await Peer.start(python, "step.py", [...sizes, ...possible]);
  part.fact(name, ready.ready);
  for (const ratio of RATIOS) {
    await peer.ask({ cmd: "mask", ratio });
    const times: number[] = [];
    let peakBytes = 0;
    for (let i = 0; i < 1 + STEPS; i++) {
      const answer = await peer.ask({ cmd: "step" });
      peakBytes = Math.max(peakBytes, answer.peakBytes as number);
      if (i > 0) times.push(answer.seconds as number);
    }
    part.add("steps", { by: name, precision, ratio, ...summary(times), peakBytes });
  }
  peer.stop();
}

export default async function step(part: Part): Promise<void> {
  requireGpu();
  // What matters most first: our fastest precision, the peers, then the others.
  const [first, ...others] = (["bf16", "fp32", "fp16"] as const).filter((p) => planPrecisions().includes(p));
  if (first) await part.attempt(`our step in ${first}`, () => ours(part, first));
  if (first) await part.attempt(`our step in ${first} as CUDA graphs`, () => ours(part, first, true));
  for (const style of styles) await part.attempt(style.name, () => theirs(part, style));
  for (const precision of others) await part.attempt(`our step in ${precision}`, () => ours(part, precision));
}
