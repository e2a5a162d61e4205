import { channelsOf, hasRegions, ignoreLabel, type LabelScheme } from "../labels";
import type { ResEncUNet } from "../models/resenc-unet";
import { add } from "../ops/add";
import { diceCrossEntropy } from "../ops/dice-cross-entropy";
import { leakyRelu } from "../ops/leaky-relu";
import { resize } from "../ops/resample";
import type { FinetunePlan } from "../plans/finetune";
import { scope } from "../scope";
import { type DeviceName, type Tensor, tensor } from "../tensor";

/** Labels, (N, 1, D, H, W), of which −1, outside of the image, becomes background. */
export const knownLabels = (labels: Tensor): Tensor => leakyRelu(labels, 0);

/** The same of labels in JavaScript's memory, on a device. */
export function labelTensor(labels: Float32Array, shape: readonly number[], device: DeviceName): Tensor {
  return scope(() => knownLabels(tensor(labels, shape, { device })));
}

/** The sets of labels that the network's channels stand for; undefined for exclusive classes. */
function lossRegions(scheme: LabelScheme): (readonly number[])[] | undefined {
  return hasRegions(scheme) ? channelsOf(scheme).map(({ labels }) => labels) : undefined;
}

/** Weights of deep supervision, highest resolution first: 1, 1/2, 1/4, …, the lowest 0, normalised (method.md §7.4). */
export function supervisionWeights(stages: number): number[] {
  const raw = Array.from({ length: stages }, (_, i) => (i > 0 && i === stages - 1 ? 0 : 2 ** -i));
  const sum = raw.reduce((a, b) => a + b, 0);
  return raw.map((w) => w / sum);
}

/** Cross-entropy minus mean soft Dice of logits (N, K, …) against labels (N, 1, …), as the plan weighs them. */
export function logitsLoss(plan: FinetunePlan, logits: Tensor, labels: Tensor, weight = 1): Tensor {
  const { diceWeight, crossEntropyWeight, batchDice, smooth } = plan.loss;
  const [regions, ignore] = [lossRegions(plan.labels), ignoreLabel(plan.labels)];
  return diceCrossEntropy(logits, labels, {
    ...(regions ? { regions } : {}),
    ...(ignore === undefined ? {} : { ignore }),
    ...{ batchDice, smooth, diceWeight: weight * diceWeight, ceWeight: weight * crossEntropyWeight },
  });
}

/** The loss of a batch, at every supervised resolution; labels are sampled at the nearest voxel. */
export function segmentationLoss(plan: FinetunePlan, model: ResEncUNet, x: Tensor, labels: Tensor): Tensor {
  return scope(() => {
    const stages = plan.network.features.length - 1;
    const weights = supervisionWeights(plan.loss.deepSupervision ? stages : 1).filter((w) => w > 0);
    const scales = model.forwardScales(x, weights.length);
    const losses = scales.map((logits, i) => {
      const size = logits.shape.slice(2) as [number, number, number];
      const target = i === 0 ? labels : resize(labels, size, { order: 0, clip: false });
      return logitsLoss(plan, logits, target, weights[i]!);
    });
    return losses.reduce((sum, loss) => add(sum, loss));
  });
}
