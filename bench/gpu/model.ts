/** Pre-training steps as `pretrain` runs them, on random patches, for stages that time, compare or repeat them. */
import type { DeviceName, S3D, SGD, Tensor } from "../../lib";
import { type SampledMask, sampleMask } from "../../lib/masking";
import { createPlan, type Plan, type PlanInput, type PresetName } from "../../lib/plans/plan";
import { rng } from "../../lib/random";
import { PretrainSteps } from "../../lib/recipes/pretrain-steps";
import { buildS3D, buildSGD, takeItems } from "../../lib/recipes/step";
import { dry } from "./part";
import { type Precision, planPrecision } from "./precisions";

export interface StepData {
  patches: Float32Array;
  shape: number[];
  mask: SampledMask;
}

/** The patches of a step; normals are costly to draw, so a step draws a million and repeats them. */
export function stepData(plan: Plan, step: number, ratio: number): StepData {
  const shape = [plan.batch, plan.network.inChannels, ...plan.patch];
  const patches = new Float32Array(shape.reduce((a, b) => a * b, 1));
  const drawn = rng(1, step, "bench").fillNormal(new Float32Array(Math.min(patches.length, 1 << 20)));
  for (let at = 0; at < patches.length; at += drawn.length)
    patches.set(drawn.subarray(0, Math.min(drawn.length, patches.length - at)), at);
  const masking = { patch: plan.patch, block: plan.mask.block, ratio, per: "batch" as const };
  return { patches, shape, mask: sampleMask(masking, { seed: 1, step, samples: plan.batch }) };
}

const twoStages: PlanInput["network"] = {
  kernels: [
    [3, 3, 3],
    [3, 3, 3],
  ],
  strides: [
    [1, 1, 1],
    [2, 2, 2],
  ],
  decoder: { convs: [1] },
};

/** What an emulated device gets through in seconds, in place of any other size. */
const drySize: PlanInput = {
  patch: [16, 16, 16],
  batch: 1,
  mask: { block: 8 },
  network: {
    features: [4, 8],
    blocks: [1, 1],
    ...twoStages,
  },
};

/** With channels enough for every kernel on tensor cores. */
export const wideNetwork: PlanInput["network"] = {
  features: [32, 64],
  blocks: [1, 1],
  ...twoStages,
};

export function planFor(precision: Precision, preset: PresetName, input: PlanInput = {}): Plan {
  const word = planPrecision(precision);
  const { network } = input;
  const wide: PlanInput = { network, patch: [8, 8, 8], mask: { block: 4 } };
  const size = dry ? { ...drySize, ...(network && wide) } : input;
  return createPlan({ ...size, device: "cuda", ...(word && { precision: word }) }, preset);
}

export class Trainer implements Disposable {
  readonly model: S3D;
  readonly optimizer: SGD;
  private readonly steps: PretrainSteps;
  private ahead: { data: StepData; x: Tensor } | undefined;

  constructor(
    readonly plan: Plan,
    device: DeviceName,
  ) {
    this.model = buildS3D(plan, device);
    this.optimizer = buildSGD(plan, this.model);
    this.steps = new PretrainSteps(this.model, plan, device);
  }

  /**
   * One whole step, from patches in JavaScript's memory to updated weights.
   * @param next data of the step that follows, brought to the device while this one computes, as `pretrain` does it
   * @returns the loss
   */
  async step(data: StepData, rate = this.plan.optimizer.learningRate, next?: StepData): Promise<number> {
    const { optimizer, steps } = this;
    const result = steps.step(optimizer, this.uploaded(data), data.mask, rate);
    if (next) this.ahead = { data: next, x: steps.runner.upload({ x: next.patches }).x };
    const [loss, gradientNorm] = await takeItems(result.loss, result.gradientNorm);
    optimizer.lossScale?.update(Number.isFinite(gradientNorm));
    return loss;
  }

  private uploaded(data: StepData): Tensor {
    const { ahead } = this;
    if (ahead?.data !== data) this.forget();
    this.ahead = undefined;
    return ahead?.data === data ? ahead.x : this.steps.runner.upload({ x: data.patches }).x;
  }

  private forget(): void {
    if (this.ahead) this.steps.runner.free({ x: this.ahead.x });
    this.ahead = undefined;
  }

  [Symbol.dispose](): void {
    this.forget();
    this.steps.dispose();
    this.optimizer.dispose();
    this.model.dispose();
  }
}

interface TrainOptions {
  steps: number;
  seen?: (model: S3D) => Promise<void>;
  network?: PlanInput["network"];
}

/** Losses of a small S3D's first steps. */
export async function trainSteps(
  device: DeviceName,
  precision: Precision,
  { steps, seen, network }: TrainOptions,
): Promise<number[]> {
  const plan = planFor(precision, "tiny", {
    ...{ patch: [32, 32, 32], mask: { block: 8 } },
    ...(network && { network }),
  });
  using trainer = new Trainer(plan, device);
  const losses: number[] = [];
  for (let i = 0; i < steps; i++) losses.push(await trainer.step(stepData(plan, i, 0.75)));
  await seen?.(trainer.model);
  return losses;
}
