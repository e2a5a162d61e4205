/** What tests of fine-tuning share: a plan whose step takes milliseconds, and labelled spheres made in memory. */
import type { LabelledBatch, LabelledSource } from "../lib/data/labelled";
import { createFinetunePlan, type FinetunePlan, type FinetunePlanInput } from "../lib/plans/finetune";
import { rng } from "../lib/random";
import { TINY } from "./fixtures";

const { patch, network, loader, checkpoint } = TINY;
export const CLASSES = { labels: { background: 0, ball: 1, core: 2 } } as const;

/** The network of TINY on one channel and two classes, three steps a stage of the two-stage warm-up. */
export const TUNE = {
  patch,
  network,
  loader,
  checkpoint,
  steps: 8,
  channels: ["T1"],
  labels: CLASSES,
  schedule: { frozenShare: 0.3, rampShare: 0.3 },
  validation: { every: 3, patches: 2 },
} as FinetunePlanInput;

/** TUNE with some fields replaced, two levels deep. */
export function tinyTuning(input: FinetunePlanInput = {}): FinetunePlan {
  const merged = Object.entries(input).map(([key, value]) => {
    const base = TUNE[key as keyof FinetunePlanInput];
    const nested = key !== "labels" && typeof value === "object" && !Array.isArray(value);
    return [key, nested && typeof base === "object" ? { ...base, ...value } : value];
  });
  return createFinetunePlan({ ...TUNE, ...Object.fromEntries(merged) }, "tiny");
}

/** A bright ball with a brighter core in noise, at a random place; label 1 of the ball, 2 of the core, −1 outside. */
export function ballPatch(
  plan: FinetunePlan,
  step: number,
  index: number,
  images: Float32Array,
  labels: Float32Array,
) {
  const random = rng(plan.seed, step, "test", index);
  const [d, h, w] = plan.patch;
  const size = d * h * w;
  const radius = (0.2 + 0.1 * random.uniform()) * d;
  const center = plan.patch.map((edge) => radius + random.uniform() * (edge - 2 * radius));
  for (let v = 0; v < size; v++) {
    const at = [Math.floor(v / (h * w)), Math.floor(v / w) % h, v % w];
    const distance = Math.hypot(...at.map((x, a) => x - center[a]!));
    const label = distance < radius / 2 ? 2 : distance < radius ? 1 : 0;
    labels[index * size + v] = v % w === 0 ? -1 : label; // one face of the patch lies outside of the image
    for (let c = 0; c < plan.channels.length; c++)
      images[(index * plan.channels.length + c) * size + v] = 1.5 * label - 0.5 + 0.3 * random.normal();
  }
}

export function ballBatch(plan: FinetunePlan, step: number): LabelledBatch {
  const size = plan.batch * plan.patch.reduce((a, b) => a * b, 1);
  const [images, labels] = [new Float32Array(size * plan.channels.length), new Float32Array(size)];
  for (let i = 0; i < plan.batch; i++) ballPatch(plan, step, i, images, labels);
  return { images, labels, waitSeconds: 0 };
}

/** Pure functions of the step, as the real source. */
export function ballSource(plan: FinetunePlan): LabelledSource & { closed: boolean } {
  return {
    fingerprint: "balls",
    counts: { training: 4, validation: 2 },
    closed: false,
    batch: async (step) => ballBatch(plan, step),
    validationBatch: async (index) => ballBatch(plan, 1_000_000 + index),
    async *validationCases() {},
    async close() {
      this.closed = true;
    },
  };
}
