/// <reference types="node" preserve="true" />
/// <reference lib="esnext.disposable" preserve="true" />
export { Tape } from "./autograd";
export type { BuildInfo, DeviceStats } from "./binding";
export { BlockMask, type BlockMaskOptions } from "./block-mask";
export {
  openSafetensors,
  SafetensorsFile,
  type TensorSource,
  writeSafetensors,
} from "./checkpoints/safetensors";
export {
  type Checkpoint,
  openCheckpoint,
  openLatestCheckpoint,
  saveCheckpoint,
  type TrainState,
} from "./checkpoints/train-state";
export { type AugmentationOptions, drawAugmentation } from "./data/augment";
export { type CaseProperties, listCases, StoredCase, writeCase } from "./data/case-store";
export { type ChannelFiles, findChannelCases } from "./data/channel-files";
export { type DatasetJson, type LabelledDataset, readDataset, readDatasetJson } from "./data/dataset-json";
export { type Geometry, type GeometryChoice, requireSameGrid } from "./data/geometry";
export {
  type LabelledBatch,
  type LabelledCase,
  type LabelledOptions,
  type LabelledSource,
  openLabelled,
} from "./data/labelled";
export { datasetFold, prepareLabelled, verifyDataset } from "./data/labelled-dataset";
export { type Batch, type LoaderOptions, PatchLoader } from "./data/loader";
export { type NiftiOptions, readNifti, readNiftiHeader, type Volume } from "./data/nifti";
export { type NiftiImage, writeNifti } from "./data/nifti-writer";
export { PHANTOM_LABELS, type PhantomOptions, phantom, writePhantoms } from "./data/phantoms";
export {
  DEFAULT_PREPROCESSING,
  medianSpacing,
  type PreprocessOptions,
  type PreprocessStep,
  preprocess,
} from "./data/preprocess";
export { type SampleOptions, trainingSample, validationSample } from "./data/samples";
export {
  augmentDrawn,
  augmentedReadSize,
  augmentLabelled,
  type DrawnSegmentation,
  drawSegmentation,
  type LabelledPatch,
  MIRROR_AUGMENTATION,
  NNUNET_AUGMENTATION,
  NO_AUGMENTATION,
  neededPart,
  type ReadPart,
  type SegmentationAugmentation,
} from "./data/segmentation-augment";
export { findCases, type ImageCase } from "./data/sources";
export { type Fold, foldOf, kFolds, readSplits, writeSplits } from "./data/splits";
export {
  type ComputeDevice,
  type DeviceChoice,
  info,
  type Precision,
  precisions,
  resolveDevice,
} from "./device";
export * from "./errors";
export {
  type CaseOptions,
  evaluateCase,
  overlapMetrics,
  type RegionMetrics,
  regionKey,
} from "./evaluation/dice";
export { type EvaluatedCase, evaluateFolders, type FolderOptions, optionsOf } from "./evaluation/folders";
export {
  type CaseResult,
  type MeanMetrics,
  type Summary,
  sortedJson,
  summarize,
  writeSummary,
} from "./evaluation/summary";
export {
  type Network,
  predictLogits,
  type Slab,
  type SlidingWindowOptions,
  type SlidingWindowProgress,
  slidingWindow,
} from "./inference/sliding-window";
export { gaussianWindow, windowStarts } from "./inference/window";
export {
  allowedLabels,
  channelsOf,
  classNames,
  countedLabels,
  foregroundOf,
  hasRegions,
  ignoreLabel,
  type LabelScheme,
  outputChannels,
  parseLabelScheme,
  sameScheme,
} from "./labels";
export { type FolderLock, lockFolder } from "./lock";
export { type MaskOptions, type MaskRatio, type SampledMask, sampleMask, validationMask } from "./masking";
export { type Metrics, MetricsLog, readMetrics } from "./metrics-log";
export { type CoarseRule, ResEncUNet, type ResEncUNetOptions } from "./models/resenc-unet";
export { S3D, type S3DOptions } from "./models/s3d";
export { Conv3d, ConvNormAct, ConvTranspose3d } from "./nn/conv";
export { Initializer } from "./nn/init";
export { Module } from "./nn/module";
export { MaskedNorm } from "./nn/norm";
export { add } from "./ops/add";
export { applyMask } from "./ops/apply-mask";
export { avgPool3d } from "./ops/avg-pool3d";
export { cast } from "./ops/cast";
export { concat } from "./ops/concat";
export { convTranspose3d } from "./ops/conv-transpose3d";
export { type Conv3dInput, type Conv3dOptions, conv3d } from "./ops/conv3d";
export { densify } from "./ops/densify";
export { type DiceCrossEntropyOptions, diceCrossEntropy } from "./ops/dice-cross-entropy";
export { type FoldedSkip, foldedConv3d } from "./ops/folded-conv3d";
export { type AccumulateOptions, gaussianAccumulate, gaussianNormalize } from "./ops/gaussian-accumulate";
export { gaussianBlur } from "./ops/gaussian-blur";
export { gaussianNoise, type NoiseOptions } from "./ops/gaussian-noise";
export { gradNorm } from "./ops/grad-norm";
export { changeContrast, correctGamma, scaleIntensity } from "./ops/intensity";
export { type LabelCounts, labelCounts, type Region } from "./ops/label-counts";
export { leakyRelu } from "./ops/leaky-relu";
export { maskedMse } from "./ops/masked-mse";
export { type MaskedNormOptions, maskedNorm } from "./ops/masked-norm";
export { mirror } from "./ops/mirror";
export { type InterpolationOrder, type ResizeOptions, resampleAffine, resize } from "./ops/resample";
export { resampleLabels } from "./ops/resample-labels";
export { residual } from "./ops/residual";
export { type SurfaceDiceOptions, surfaceDice } from "./ops/surface-dice";
export { tokenAffine } from "./ops/token-affine";
export { LossScale, type LossScaleState } from "./optim/loss-scale";
export { constant, perEpoch, poly, type Schedule, type Stage, sequence, warmup } from "./optim/schedules";
export { SGD, type SGDOptions } from "./optim/sgd";
export { type ProgressPoint, renderProgress } from "./pictures/progress";
export { renderVolumes, type VolumeColumn, type VolumeOptions, visibleVoxels } from "./pictures/volume";
export { type Experiment, parseExperiment, readExperiment } from "./plans/experiment";
export {
  createFinetunePlan,
  type FinetunePlan,
  type FinetunePlanInput,
  finetunePlanFromJson,
  finetuneStages,
  type ParameterGroup,
  type ScheduleKind,
  type TuningStage,
} from "./plans/finetune";
export {
  createPlan,
  diffPlans,
  learningRate,
  overridePlan,
  type Plan,
  type PlanInput,
  PRESETS,
  type PresetName,
  planFromFile,
  planFromJson,
  planToJson,
} from "./plans/plan";
export { PURPOSES, type Purpose, Random, rng } from "./random";
export { type DryRun, dryRun } from "./recipes/dry-run";
export {
  type FinetuneStep,
  finetune,
  finetuneStep,
  type LabelledPatches,
  type LabelledPatchSource,
} from "./recipes/finetune";
export { type PatchSource, type PretrainStep, pretrain } from "./recipes/pretrain";
export { segmentationLoss } from "./recipes/segmentation-loss";
export { buildSegmenter, Tuner } from "./recipes/segmenter";
export { buildS3D, buildSGD, pretrainStep, type StepInput } from "./recipes/step";
export { type TransferReport, transferWeights } from "./recipes/transfer";
export { validate } from "./recipes/validate";
export { type SegmentationValidation, validateSegmentation } from "./recipes/validate-segmentation";
export {
  type Comparison,
  type ComparisonEvent,
  type ComparisonOptions,
  runComparison,
} from "./runs/comparison";
export { type FinetuneEvent, type FinetuneOptions, runFinetuning } from "./runs/finetuning";
export { loadSegmenter, type Segmenter } from "./runs/load-segmenter";
export {
  type CasePrediction,
  type PredictionEvent,
  type PredictionModel,
  type PredictionRun,
  type PredictOptions,
  predictCase,
  predictWindows,
  runPrediction,
  writePrediction,
} from "./runs/prediction";
export { type ReportOptions, type ReportResult, writeReport } from "./runs/report";
export { keep, scope } from "./scope";
export {
  type DeviceName,
  type DType,
  full,
  resetPeak,
  setDefaultDevice,
  setMemoryLimit,
  setThreads,
  stats,
  sync,
  Tensor,
  type TensorOptions,
  tensor,
  zeros,
} from "./tensor";
export type { Triple } from "./triple";
