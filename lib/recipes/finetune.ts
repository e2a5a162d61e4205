import { Tape } from "../autograd";
import { NonFiniteError } from "../errors";
import { stageAt } from "../optim/schedules";
import { type FinetunePlan, finetuneStages } from "../plans/finetune";
import { tuningRate } from "../plans/finetune-stages";
import { scope } from "../scope";
import { type DeviceName, type Tensor, tensor } from "../tensor";
import { labelTensor, segmentationLoss } from "./segmentation-loss";
import type { Tuner } from "./segmenter";
import { takeItems } from "./step";

/** Patches with labels: images (N, C, D, H, W), labels (N, 1, D, H, W), −1 outside of the image. */
export interface LabelledPatches {
  images: Float32Array;
  labels: Float32Array;
}

/** Where labelled patches come from: a loader, or a function in a test. */
export interface LabelledPatchSource {
  /** Augmented patches of a training step, and how long the caller waited for them. */
  batch(step: number): Promise<LabelledPatches & { waitSeconds: number }>;
  /** Fixed, un-augmented patches of held-out cases: the batch of this number. */
  validationBatch(index: number): Promise<LabelledPatches>;
}

export interface FinetuneStep {
  /** Steps done, this one included. */
  step: number;
  /** Cross-entropy minus Dice of this step's batch, before the update. */
  loss: number;
  /** Norm of the gradient of what trains. */
  gradientNorm: number;
  learningRate: number;
  /** Number of the schedule's stage, from 0. */
  stage: number;
  /** Wall time of the step, data wait included. */
  seconds: number;
  dataWaitSeconds: number;
  /** What the loss was multiplied with; fp16 only. */
  lossScale?: number | undefined;
}

/** Updates that may be skipped in a row because the gradient was not finite. */
const MAX_NON_FINITE = 20;

/**
 * Fine-tuning for segmentation (CVPR 2025, §3; method.md §7): for every step draw labelled patches, predict, compare,
 * update what the schedule trains. Patches, rates and the trained set are pure functions of (seed, step), so a run
 * resumed from a state is the same run. Yields after each step; validation, checkpoints and signals are the consumer's.
 * @throws NonFiniteError after 20 steps in a row without a finite gradient
 */
export async function* finetune(
  plan: FinetunePlan,
  tuner: Tuner,
  source: LabelledPatchSource,
  device: DeviceName,
): AsyncGenerator<FinetuneStep> {
  const [rate, stages] = [tuningRate(plan), finetuneStages(plan)];
  let nonFinite = 0;
  while (tuner.step < plan.steps) {
    const [step, start] = [tuner.step, performance.now()];
    const { waitSeconds, ...patches } = await source.batch(step);
    tuner.enterStage(step);
    const result = finetuneStep(plan, tuner, patches, rate(step), device);
    const [loss, gradientNorm] = await takeItems(result.loss, result.gradientNorm);
    const lossScale = tuner.lossScale?.value;
    tuner.lossScale?.update(Number.isFinite(gradientNorm));
    tuner.step = step + 1;
    nonFinite = Number.isFinite(gradientNorm) ? 0 : nonFinite + 1;
    if (nonFinite === MAX_NON_FINITE)
      throw new NonFiniteError(
        "ERR_VOXELSPARK_NON_FINITE",
        `the gradient was not finite for ${MAX_NON_FINITE} steps up to step ${step}; lower the learning rate (${rate(step)}) or look at the data`,
      );
    yield {
      step: tuner.step,
      loss,
      gradientNorm,
      learningRate: rate(step),
      stage: stageAt(stages, step),
      seconds: (performance.now() - start) / 1000,
      dataWaitSeconds: waitSeconds,
      lossScale,
    };
  }
}

/**
 * One step: predict, compare, go back through what trains, update. Everything but the two results is freed on return,
 * also when it fails.
 * @returns loss and L2 norm of the gradient, scalars still on the device
 */
export function finetuneStep(
  plan: FinetunePlan,
  { model, optimizer }: Pick<Tuner, "model" | "optimizer">,
  { images, labels }: LabelledPatches,
  learningRate: number,
  device: DeviceName,
): { loss: Tensor; gradientNorm: Tensor } {
  return scope(() => {
    const x = tensor(images, [plan.batch, plan.network.inChannels, ...plan.patch], { device });
    const target = labelTensor(labels, [plan.batch, 1, ...plan.patch], device);
    const tape = new Tape();
    try {
      const loss = tape.record(() => segmentationLoss(plan, model, x, target));
      optimizer.backward(tape, loss);
      return { loss, gradientNorm: optimizer.step(learningRate) };
    } finally {
      optimizer.zeroGrad(); // also those of a step that ran out of memory
    }
  });
}
