/**
 * The same step as in step.ts by two PyTorch peers: as the public implementations do it (dense convolution times mask,
 * norms by gather and scatter, float16 autocast, eager), and at its best (bfloat16; of channels last and contiguous, with
 * masked sums compiled or with gathered norms, what is fastest). Both with cuDNN's benchmark mode and activations in
 * place, as nnU-Net has them; their patches lie on the GPU.
 */
import { Peer } from "../../peers/peer";
import { planFor } from "../model";
import { dry, type Part, peerDevice, python, requireGpu, type StepTime } from "../part";
import { deviceMemory, enough, preset, RATIOS, summary } from "../steps";

const [main, ...rest] = RATIOS;

async function start(args: readonly string[]): Promise<Peer> {
  const { patch, batch, mask, network } = planFor("fp32", preset);
  const sizes = ["--patch", patch[0], "--batch", batch, "--block-edge", mask.block, "--mask-ratio", main];
  const shape = ["--features", ...network.features, "--blocks", ...network.blocks];
  const how = ["--device", peerDevice, "--warm-up", 0, "--in-place", ...args];
  return (await Peer.start(python, "step.py", [...sizes, ...shape, ...how].map(String))).peer;
}

/** Steps at one share of masked blocks; the first, in which libraries choose, does not count. */
async function measure(
  part: Part,
  peer: Peer,
  row: Pick<StepTime, "by" | "how" | "precision">,
  ratio: number,
) {
  await peer.ask({ cmd: "mask", ratio });
  await peer.ask({ cmd: "step" });
  const times: number[] = [];
  let peakBytes = 0;
  while (!enough(times)) {
    const answer = await peer.ask({ cmd: "step" });
    peakBytes = Math.max(peakBytes, answer.peakBytes as number);
    times.push(answer.seconds as number);
  }
  part.add("steps", { ...row, ratio, ...summary(times), peakBytes });
  part.save();
  return summary(times).seconds;
}

async function published(part: Part): Promise<void> {
  // float16 on a CPU is emulated, slower than anything that it would show.
  const precision = dry ? "bf16" : "fp16";
  using peer = await start(["--norm", "gather", "--precision", precision]);
  for (const ratio of RATIOS)
    await measure(part, peer, { by: "PyTorch as published", how: "", precision }, ratio);
  part.fact("memory of the device, PyTorch as published", deviceMemory());
}

/** A variant that fails, for want of memory say, is a finding like any other: its row says why. */
async function best(part: Part): Promise<void> {
  const precision = "bf16";
  using peer = await start(["--norm", "sums", "--precision", precision]);
  const row = { by: "PyTorch at its best", precision };
  const found: { layout: string; norms: string; seconds: number }[] = [];
  const fastest = () => found.reduce((a, b) => (b.seconds < a.seconds ? b : a));
  const attempt = (layout: string, norms: string) =>
    part.attempt(`${row.by}, ${layout}, norms ${norms}`, async () => {
      try {
        const taken = (await peer.ask({ cmd: "variant", layout, norms })).norms as string;
        if (found.some((f) => f.layout === layout && f.norms === taken)) return;
        const how = `${layout}, norms ${taken}`;
        found.push({ layout, norms: taken, seconds: await measure(part, peer, { ...row, how }, main) });
      } catch (error) {
        const failed = (error as Error).message.slice(0, 300);
        const none = {
          seconds: Number.NaN,
          quartiles: [Number.NaN, Number.NaN] as [number, number],
          peakBytes: 0,
        };
        part.add("steps", { ...row, how: `${layout}, norms ${norms}`, ratio: main, ...none, failed });
      }
    });
  // Eager norms by sums are left out: their activations at the paper's size take more than 80 GB.
  await attempt("channels_last", "compiled");
  await attempt("contiguous", "compiled");
  await attempt(found.length ? fastest().layout : "channels_last", "gather");
  part.check(`${row.by} was measured`, found.length > 0, `${found.length} of its variants`);
  if (found.length === 0) return;
  const { norms, layout } = fastest();
  await part.attempt(`${row.by} at other shares`, async () => {
    await peer.ask({ cmd: "variant", layout, norms });
    for (const ratio of rest) await measure(part, peer, { ...row, how: `${layout}, norms ${norms}` }, ratio);
  });
  part.fact("memory of the device, PyTorch at its best", deviceMemory());
}

export default async function peers(part: Part): Promise<void> {
  if (!dry) requireGpu();
  await part.attempt("PyTorch as published", () => published(part));
  await part.attempt("PyTorch at its best", () => best(part));
}
