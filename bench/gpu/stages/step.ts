/**
 * Our whole pre-training step of the paper (ResEnc-L, 160³, batch 6) at 60, 75 and 90 % masked, in every precision that
 * plans know, launched anew and repeated as a CUDA graph, and by every form of products. It takes its patches from
 * JavaScript's memory, brought to the GPU during the step before as `pretrain` does. The stage `peers` is PyTorch's.
 */
import { resetPeak, stats, sync } from "../../../lib";
import { type Form, groupForms, inForm } from "../forms";
import { planFor, stepData, Trainer } from "../model";
import { dry, type Part, requireGpu } from "../part";
import { type Precision, planPrecisions } from "../precisions";
import { deviceMemory, enough, preset, RATIOS, summary } from "../steps";

interface Variant {
  precision: Precision;
  ratios: readonly number[];
  cudaGraph?: boolean;
  form?: Form;
}

const howOf = ({ cudaGraph, form = "off" }: Variant) =>
  [cudaGraph ? "as a CUDA graph" : "", form === "off" ? "" : `wgmma ${form}`].filter(Boolean).join(", ");

async function measure(part: Part, trainer: Trainer, variant: Variant): Promise<void> {
  const { precision, ratios, cudaGraph = false } = variant;
  const { plan } = trainer;
  // A graph is recorded in the second step of its kind.
  const warmUp = cudaGraph ? 3 : 2;
  for (const ratio of ratios) {
    const data = Array.from({ length: 3 }, (_, i) => stepData(plan, i, ratio));
    const at = (i: number) => data[i % data.length]!;
    const times: number[] = [];
    const losses: number[] = [];
    resetPeak("cuda");
    for (let i = 0; i < warmUp || !enough(times); i++) {
      const began = performance.now();
      losses.push(await trainer.step(at(i), 1e-3, at(i + 1)));
      if (i >= warmUp) times.push((performance.now() - began) / 1e3);
    }
    await sync();
    const { peakBytes } = stats("cuda");
    part.add("steps", {
      by: "voxelspark",
      how: howOf(variant),
      precision,
      ratio,
      ...summary(times),
      peakBytes,
    });
    part.check(
      `${precision} ${howOf(variant)}, ${ratio * 100} % masked: losses are numbers`,
      losses.every(Number.isFinite),
      losses.map((loss) => loss.toFixed(4)).join(", "),
    );
    part.fact(
      `memory of the device, ${precision} ${howOf(variant)}, ${ratio * 100} % masked`,
      deviceMemory(),
    );
  }
}

/** Variants of one plan, whose weights take seconds to draw. */
async function ofOnePlan(part: Part, [first, ...others]: readonly [Variant, ...Variant[]]): Promise<void> {
  const { precision, cudaGraph = false } = first;
  using trainer = new Trainer({ ...planFor(precision, preset), cudaGraph }, "cuda");
  for (const variant of [first, ...others])
    await part.attempt(`our step in ${precision} ${howOf(variant)}`, () =>
      inForm(variant.form ?? "off", () => measure(part, trainer, variant)),
    );
}

export default async function step(part: Part): Promise<void> {
  requireGpu();
  // What matters most first: our fastest precision at every share, then by other forms.
  const [first, ...others] = (["bf16", "fp16", "fp32"] as const).filter((p) => planPrecisions().includes(p));
  if (!first) return;
  const ratios = RATIOS.slice(0, 1);
  const forms = first === "bf16" && !dry ? await groupForms() : [];
  const plans: [Variant, ...Variant[]][] = [
    [{ precision: first, ratios: RATIOS }, ...forms.map((form) => ({ precision: first, ratios, form }))],
    [{ precision: first, ratios, cudaGraph: true }],
    ...others.map((precision): [Variant] => [{ precision, ratios }]),
  ];
  for (const variants of plans)
    await part.attempt(`our step in ${variants[0].precision} ${howOf(variants[0])}`, () =>
      ofOnePlan(part, variants),
    );
}
