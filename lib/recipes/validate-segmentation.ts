import { overlapMetrics } from "../evaluation/dice";
import { countLogits } from "../evaluation/logits-counts";
import { foregroundOf } from "../labels";
import type { ResEncUNet } from "../models/resenc-unet";
import type { LabelCounts } from "../ops/label-counts";
import type { FinetunePlan } from "../plans/finetune";
import { scope } from "../scope";
import { type DeviceName, tensor } from "../tensor";
import type { LabelledPatchSource } from "./finetune";
import { labelTensor, logitsLoss } from "./segmentation-loss";
import { takeItems } from "./step";

export interface SegmentationValidation {
  /** Cross-entropy minus Dice, mean over the batches. */
  loss: number;
  /** Mean of `dice` over the classes that have one; null where none has. */
  meanDice: number | null;
  /** Dice of each foreground class or region over all voxels of all patches; null where neither side has it. */
  dice: Record<string, number | null>;
}

/** Patches are predicted in batches as in training; the last one may exceed the plan's number. */
const validationBatches = ({ validation, batch }: FinetunePlan) => Math.ceil(validation.patches / batch);

/**
 * Loss and hard Dice over the plan's fixed patches: true and false positives and negatives are added up over all of
 * them before they are divided, as nnU-Net does. Leaves the network in evaluation; the next step's `enterStage` ends that.
 */
export async function validateSegmentation(
  plan: FinetunePlan,
  model: ResEncUNet,
  source: LabelledPatchSource,
  device: DeviceName,
): Promise<SegmentationValidation> {
  const regions = foregroundOf(plan.labels);
  const sums = regions.map(() => ({ TP: 0, FP: 0, FN: 0, TN: 0 }));
  const batches = validationBatches(plan);
  let total = 0;
  model.train(false);
  for (let index = 0; index < batches; index++) {
    const { loss, counts } = await validateBatch(plan, model, await source.validationBatch(index), device);
    total += loss;
    for (const [r, sum] of sums.entries())
      for (const key of ["TP", "FP", "FN", "TN"] as const) sum[key] += counts[r]![key];
  }
  const dice = Object.fromEntries(regions.map(({ name }, r) => [name, overlapMetrics(sums[r]!).Dice]));
  const known = Object.values(dice).filter((value) => value !== null);
  const meanDice = known.length > 0 ? known.reduce((a, b) => a + b, 0) / known.length : null;
  return { loss: total / batches, meanDice, dice };
}

async function validateBatch(
  plan: FinetunePlan,
  model: ResEncUNet,
  { images, labels }: { images: Float32Array; labels: Float32Array },
  device: DeviceName,
): Promise<{ loss: number; counts: LabelCounts[] }> {
  const shape = [plan.batch, 1, ...plan.patch];
  const [loss, logits] = scope(() => {
    const x = tensor(images, [plan.batch, plan.network.inChannels, ...plan.patch], { device });
    const predicted = model.forward(x);
    return [logitsLoss(plan, predicted, labelTensor(labels, shape, device)), predicted] as const;
  });
  using _logits = logits;
  const [value] = await takeItems(loss);
  using reference = labelTensor(labels, shape, device);
  return { loss: value, counts: await countLogits(await logits.data(), reference, plan.labels) };
}
