/** Short pre-trainings of a tiny S3D, step by step or as CUDA graphs. */
import { createPlan, type DeviceName, type Plan, type PlanInput, rng } from "../../lib";
import type { LossScaleState } from "../../lib/optim/loss-scale";
import { type PatchSource, pretrain } from "../../lib/recipes/pretrain";
import { buildS3D, buildSGD } from "../../lib/recipes/step";
import { TINY } from "../fixtures";

const STEPS = 6;

export function planOf(input: PlanInput): Plan {
  return createPlan(
    {
      device: "cuda",
      patch: [8, 8, 8],
      batch: 2,
      steps: STEPS,
      mask: { block: 4, ratio: [0.5, 0.76] },
      network: TINY.network,
      ...input,
    },
    "tiny",
  );
}

/** Patches of a step; those of step 2 hold what no gradient survives. */
const source: PatchSource = {
  batch: async (step) => {
    const patches = rng(5, step, "test").fillNormal(new Float32Array(2 * 8 ** 3));
    if (step === 2) patches[77] = Number.POSITIVE_INFINITY;
    return { patches, waitSeconds: 0 };
  },
  validation: async () => new Float32Array(0),
};

type Values = [string, Float32Array][];
export const valuesOf = async (tensors: Iterable<[string, { data(): Promise<unknown> }]>): Promise<Values> =>
  Promise.all(
    [...tensors].map(async ([name, t]): Promise<Values[0]> => [name, (await t.data()) as Float32Array]),
  );

export interface Trained {
  step: number;
  curve: unknown[][];
  weights: Values;
  momenta: Values;
  scale: LossScaleState | undefined;
}

/** Trains, from a checkpoint's values where there are some, up to step `until`. */
export async function train(
  plan: Plan,
  { until = STEPS, from, device = "cuda" }: { until?: number; from?: Trained; device?: DeviceName } = {},
): Promise<Trained> {
  using model = buildS3D(plan, device);
  using optimizer = buildSGD(plan, model);
  if (from) {
    const weights = new Map(from.weights);
    for (const [name, t] of model.state()) t.set(weights.get(name) as Float32Array);
    optimizer.load(new Map(from.momenta));
    if (from.scale) optimizer.lossScale?.load(from.scale);
  }
  const state = { model, optimizer, step: from?.step ?? 0 };
  const curve: unknown[][] = [];
  for await (const { loss, gradientNorm, maskRatio, lossScale } of pretrain(plan, state, source, device)) {
    curve.push([loss, gradientNorm, maskRatio, lossScale]);
    if (state.step === until) break;
  }
  const [weights, momenta] = [await valuesOf(model.state()), await valuesOf(optimizer.state())];
  return { step: state.step, curve, weights, momenta, scale: optimizer.lossScale?.state() };
}
