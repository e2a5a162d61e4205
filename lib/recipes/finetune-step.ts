import type { ResEncUNet } from "../models/resenc-unet";
import type { FinetunePlan } from "../plans/finetune";
import { scope } from "../scope";
import { type DeviceName, type Tensor, tensor } from "../tensor";
import { knownLabels, segmentationLoss } from "./segmentation-loss";
import type { Tuner } from "./segmenter";
import { type StepResult, type StepRunner, trainStep } from "./step-runner";

/** Patches with labels: images (N, C, D, H, W), labels (N, 1, D, H, W), −1 outside of the image. */
export interface LabelledPatches {
  images: Float32Array;
  labels: Float32Array;
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
): StepResult {
  return scope(() => {
    const { x, target } = shapesOf(plan);
    const [image, label] = [tensor(images, x, { device }), tensor(labels, target, { device })];
    return trainStep(optimizer, learningRate, () => lossOf(plan, model, image, label));
  });
}

/** The same on inputs that the runner uploaded, which are freed here. */
export function stepOn(
  plan: FinetunePlan,
  { model, optimizer }: Tuner,
  runner: StepRunner<"x" | "target">,
  inputs: Record<"x" | "target", Tensor>,
  learningRate: number,
): StepResult {
  try {
    return runner.run(optimizer, learningRate, "", () => lossOf(plan, model, inputs.x, inputs.target));
  } finally {
    runner.free(inputs);
  }
}

export const shapesOf = ({ batch, network, patch }: FinetunePlan) => ({
  x: [batch, network.inChannels, ...patch],
  target: [batch, 1, ...patch],
});

const lossOf = (plan: FinetunePlan, model: ResEncUNet, x: Tensor, labels: Tensor) =>
  scope(() => segmentationLoss(plan, model, x, knownLabels(labels)));
