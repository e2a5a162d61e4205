import type { LabelledDataset } from "../data/dataset-json";
import { openLabelled } from "../data/labelled";
import { datasetFold, prepareLabelled } from "../data/labelled-dataset";
import { medianSpacing, type PreprocessStep } from "../data/preprocess";
import type { PreprocessOptions } from "../data/preprocess-image";
import { MIRROR_AUGMENTATION, NNUNET_AUGMENTATION, NO_AUGMENTATION } from "../data/segmentation-augment";
import { type FinetunePlan, overrideFinetunePlan } from "../plans/finetune";
import type { TuningSource } from "./finetuning";

const AUGMENTATIONS = { nnunet: NNUNET_AUGMENTATION, mirror: MIRROR_AUGMENTATION, none: NO_AUGMENTATION };

/** The plan with the spacing that its cases get where it says "median": prediction repeats it on other images. */
export async function resolveSpacing(plan: FinetunePlan, dataset: LabelledDataset): Promise<FinetunePlan> {
  if (plan.preprocessing.spacing !== "median") return plan;
  const spacing = await medianSpacing(dataset.cases, plan.preprocessing.geometry);
  return overrideFinetunePlan(plan, { preprocessing: { spacing } });
}

/**
 * The source of a fine-tuning run: verifies and preprocesses the cases into `folder`, where runs of the same
 * preprocessing share them, and takes the plan's fold.
 * @throws DataError that names the faults of all cases
 */
export async function* openLabelledCases(
  plan: FinetunePlan,
  dataset: LabelledDataset,
  folder: string,
): AsyncGenerator<PreprocessStep, TuningSource> {
  const { patch, batch, seed, foreground, labels, loader, steps } = plan;
  const options = plan.preprocessing as PreprocessOptions;
  await datasetFold(dataset, folder, plan.fold, false); // what is wrong with it is said before hours of preprocessing
  yield* prepareLabelled(dataset, folder, options, loader.workers);
  const fold = await datasetFold(dataset, folder, plan.fold);
  const source = await openLabelled({
    ...{ folder, fold, labels, patch, batch, seed, foreground, loader, steps },
    channels: plan.channels.length,
    augmentation: AUGMENTATIONS[plan.augmentation],
  });
  const held = new Set(fold.validation);
  const heldOut = dataset.cases
    .filter(({ id }) => held.has(id))
    .map(({ id, path, further = [], label }) => ({ id, files: [path, ...further], label: label!.path }));
  return Object.assign(source, { heldOut });
}
