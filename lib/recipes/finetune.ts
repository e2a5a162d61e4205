import { stageAt } from "../optim/schedules";
import { type FinetunePlan, finetuneStages } from "../plans/finetune";
import { tuningRate } from "../plans/finetune-stages";
import type { DeviceName } from "../tensor";
import { Ahead } from "./ahead";
import { type LabelledPatches, shapesOf, stepOn } from "./finetune-step";
import { FiniteGradients } from "./finite-gradients";
import type { Tuner } from "./segmenter";
import { takeItems } from "./step";
import { StepRunner } from "./step-runner";

export { finetuneStep, type LabelledPatches } from "./finetune-step";

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
  using runner = new StepRunner(shapesOf(plan), device, plan.cudaGraph && device === "cuda");
  const fetch = async (step: number) => {
    const { images, labels, waitSeconds } = await source.batch(step);
    return { upload: () => runner.upload({ x: images, target: labels }), waitSeconds };
  };
  using ahead = new Ahead(fetch, (inputs) => runner.free(inputs), device);
  const gradients = new FiniteGradients();
  while (tuner.step < plan.steps) {
    const [step, start] = [tuner.step, performance.now()];
    const { inputs, waitSeconds } = await ahead.take(step);
    tuner.enterStage(step);
    const result = stepOn(plan, tuner, runner, inputs, rate(step));
    if (step + 1 < plan.steps) ahead.begin(step + 1);
    const [loss, gradientNorm] = await takeItems(result.loss, result.gradientNorm);
    const lossScale = tuner.lossScale?.value;
    tuner.lossScale?.update(Number.isFinite(gradientNorm));
    tuner.step = step + 1;
    gradients.check(gradientNorm, step, rate(step));
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
