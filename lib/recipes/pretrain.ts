import { maskedShare, sampleMask } from "../masking";
import type { S3D } from "../models/s3d";
import type { SGD } from "../optim/sgd";
import { learningRate, type Plan } from "../plans/plan";
import type { DeviceName } from "../tensor";
import { Ahead } from "./ahead";
import { FiniteGradients } from "./finite-gradients";
import { PretrainSteps } from "./pretrain-steps";
import { takeItems } from "./step";

/** Where patches come from: a loader, or a function in a test. All are (N, C, D, H, W), row-major. */
export interface PatchSource {
  /** Augmented patches of a training step, and how long the caller waited for them. */
  batch(step: number): Promise<{ patches: Float32Array; waitSeconds: number }>;
  /** Fixed, un-augmented patches first … first + count − 1 of held-out cases. */
  validation(first: number, count: number): Promise<Float32Array>;
}

export interface PretrainStep {
  /** Steps done, this one included. */
  step: number;
  /** Masked MSE of this step's batch, before the update. */
  loss: number;
  gradientNorm: number;
  learningRate: number;
  /** Wall time of the step, data wait included. */
  seconds: number;
  dataWaitSeconds: number;
  /** Masked share of the batch's blocks. */
  maskRatio: number;
  /** What the loss was multiplied with; fp16 only. */
  lossScale?: number | undefined;
}

export interface PretrainState {
  model: S3D;
  optimizer: SGD;
  /** Steps already done. */
  step: number;
}

/**
 * S3D pre-training (CVPR 2025, §3): for every step draw patches and masks, reconstruct the masked voxels, update.
 * Patches, masks and learning rate are pure functions of (seed, step), so a run resumed from a state is the same run.
 * Yields after each step; logging, validation, checkpoints and signals are the consumer's.
 * @throws NonFiniteError after 20 steps in a row without a finite gradient
 */
export async function* pretrain(
  plan: Plan,
  state: PretrainState,
  source: PatchSource,
  device: DeviceName,
): AsyncGenerator<PretrainStep> {
  const rate = learningRate(plan);
  using steps = new PretrainSteps(state.model, plan, device);
  const fetch = async (step: number) => {
    const { patches, waitSeconds } = await source.batch(step);
    return { upload: () => steps.runner.upload({ x: patches }), waitSeconds };
  };
  using ahead = new Ahead(fetch, (inputs) => steps.runner.free(inputs), device);
  const masking = { ...plan.mask, patch: plan.patch };
  const gradients = new FiniteGradients();
  while (state.step < plan.steps) {
    const [step, start] = [state.step, performance.now()];
    const { inputs, waitSeconds } = await ahead.take(step);
    const mask = sampleMask(masking, { seed: plan.seed, step, samples: plan.batch });
    const result = steps.step(state.optimizer, inputs.x, mask, rate(step));
    if (step + 1 < plan.steps) ahead.begin(step + 1);
    const [loss, gradientNorm] = await takeItems(result.loss, result.gradientNorm);
    const lossScale = state.optimizer.lossScale?.value;
    state.optimizer.lossScale?.update(Number.isFinite(gradientNorm));
    state.step = step + 1;
    gradients.check(gradientNorm, step, rate(step));
    yield {
      step: state.step,
      loss,
      gradientNorm,
      learningRate: rate(step),
      seconds: (performance.now() - start) / 1000,
      dataWaitSeconds: waitSeconds,
      maskRatio: maskedShare(mask),
      lossScale,
    };
  }
}
