/// <reference types="node" preserve="true" />
/// <reference lib="esnext.disposable" preserve="true" />
export type { NumberArray } from "./arguments";
export { Tape } from "./autograd";
export type { BuildInfo, DeviceStats } from "./binding";
export { BlockMask, type BlockMaskOptions } from "./block-mask";
export {
  openSafetensors,
  type SafetensorsDtype,
  SafetensorsFile,
  type TensorData,
  type TensorEntry,
  type TensorSource,
  writeSafetensors,
} from "./checkpoints/safetensors";
export {
  type Checkpoint,
  type CheckpointTensors,
  openCheckpoint,
  openLatestCheckpoint,
  saveCheckpoint,
  type TrainState,
} from "./checkpoints/train-state";
export { type Augmentation, type AugmentationOptions, drawAugmentation } from "./data/augment";
export {
  type CaseProperties,
  type ChannelStatistics,
  type LabelProperties,
  listCases,
  type Source as CaseSourceFile,
  StoredCase,
  writeCase,
} from "./data/case-store";
export { type ChannelFiles, findChannelCases } from "./data/channel-files";
export { type DatasetJson, type LabelledDataset, readDataset, readDatasetJson } from "./data/dataset-json";
export type {
  Affine,
  Geometry,
  GeometryChoice,
  GeometryFields,
  GeometrySource,
  Vector3,
} from "./data/geometry";
export type { ForegroundEntry } from "./data/label-map";
export {
  type LabelledBatch,
  type LabelledCase,
  type LabelledOptions,
  type LabelledSource,
  openLabelled,
} from "./data/labelled";
export { datasetFold, prepareLabelled, verifyDataset } from "./data/labelled-dataset";
export type { LabelledSampleOptions } from "./data/labelled-samples";
export { type Batch, type LoaderOptions, PatchLoader } from "./data/loader";
export { type NiftiOptions, readNifti, readNiftiHeader, type Volume } from "./data/nifti";
export type { NiftiHeader, NiftiLimits, NiftiType } from "./data/nifti-header";
export { type NiftiImage, type WritableType, writeNifti } from "./data/nifti-writer";
export { CaseSet, type Padding } from "./data/patches";
export type { Scanners } from "./data/phantom-scanner";
export { PHANTOM_LABELS, type Phantom, type PhantomOptions, phantom, writePhantoms } from "./data/phantoms";
export {
  DEFAULT_PREPROCESSING,
  medianSpacing,
  type PreprocessOptions,
  type PreprocessStep,
  preprocess,
} from "./data/preprocess";
export { type Placed, requireSameGrid } from "./data/same-grid";
export type { LoadOptions } from "./data/sample-loader";
export { type Sample, type SampleOptions, trainingSample, validationSample } from "./data/samples";
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
export type { ChannelTransform, RangedTransform } from "./data/segmentation-draw";
export { findCases, type ImageCase } from "./data/sources";
export { type Fold, foldOf, kFolds, readSplits, writeSplits } from "./data/splits";
export type { Shape4 } from "./data/zarr-shard";
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
export type { ComparisonRow, ComparisonTable, Score, Spread } from "./evaluation/ranking";
export {
  type CaseResult,
  type MeanMetrics,
  type Summary,
  sortedJson,
  summarize,
  writeSummary,
} from "./evaluation/summary";
export type { Written } from "./files";
export type { LabelArray } from "./inference/label-painter";
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
  type OutputChannel,
  outputChannels,
  parseLabelScheme,
  sameScheme,
} from "./labels";
export { type FolderLock, lockFolder } from "./lock";
export { type MaskOptions, type MaskRatio, type SampledMask, sampleMask, validationMask } from "./masking";
export { type Metrics, MetricsLog, readMetrics } from "./metrics-log";
export {
  type CoarseRule,
  type ResEncEncoder,
  ResEncUNet,
  type ResEncUNetOptions,
  type ResidualBlock,
  type Skip,
  type SkipSource,
  type UNetDecoder,
} from "./models/resenc-unet";
export { S3D, type S3DOptions } from "./models/s3d";
export { Conv3d, ConvNormAct, ConvTranspose3d, type UnitOptions } from "./nn/conv";
export { Initializer, type InitScheme } from "./nn/init";
export { Module, type Part } from "./nn/module";
export { MaskedNorm, type NormKind } from "./nn/norm";
export { add } from "./ops/add";
export { applyMask } from "./ops/apply-mask";
export { avgPool3d } from "./ops/avg-pool3d";
export { cast } from "./ops/cast";
export { concat } from "./ops/concat";
export { convTranspose3d } from "./ops/conv-transpose3d";
export { type Conv3dInput, type Conv3dOptions, conv3d, type Winograd } from "./ops/conv3d";
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
export { scale } from "./ops/scale";
export { type SurfaceDiceOptions, surfaceDice } from "./ops/surface-dice";
export { tokenAffine } from "./ops/token-affine";
export { LossScale, type LossScaleState } from "./optim/loss-scale";
export { constant, perEpoch, poly, type Schedule, type Stage, sequence, warmup } from "./optim/schedules";
export { SGD, type SGDOptions, type StepScalars } from "./optim/sgd";
export type { Direction, PlaneOptions } from "./pictures/planes";
export { type ProgressOptions, type ProgressPoint, renderProgress } from "./pictures/progress";
export { renderVolumes, type VolumeColumn, type VolumeOptions, visibleVoxels } from "./pictures/volume";
export type { PlanDifference } from "./plans/completion";
export {
  type DataSource as ExperimentData,
  type Experiment,
  type ExperimentDataset,
  type PhantomSource,
  parseExperiment,
  readExperiment,
} from "./plans/experiment";
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
export type { Method } from "./plans/methods";
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
export type { DeepPartial, DeepReadonly } from "./plans/sections";
export { PURPOSES, type Purpose, Random, rng } from "./random";
export { type DryRun, dryRun } from "./recipes/dry-run";
export {
  type FinetuneStep,
  finetune,
  finetuneStep,
  type LabelledPatches,
  type LabelledPatchSource,
} from "./recipes/finetune";
export { type PatchSource, type PretrainState, type PretrainStep, pretrain } from "./recipes/pretrain";
export { segmentationLoss } from "./recipes/segmentation-loss";
export { buildSegmenter, Tuner } from "./recipes/segmenter";
export { buildS3D, buildSGD, pretrainStep, type StepInput } from "./recipes/step";
export type { StepResult } from "./recipes/step-runner";
export { type TransferReport, transferWeights } from "./recipes/transfer";
export { validate } from "./recipes/validate";
export { type SegmentationValidation, validateSegmentation } from "./recipes/validate-segmentation";
export { type CaseFolder, type CaseSource, openCases, resolvePreprocessing } from "./runs/cases";
export {
  type Comparison,
  type ComparisonEvent,
  type ComparisonOptions,
  runComparison,
} from "./runs/comparison";
export type { ComparisonResults, FailedRun, RunResult } from "./runs/comparison-results";
export type { RunState, RunStep } from "./runs/comparison-runs";
export {
  type FinetuneEvent,
  type FinetuneOptions,
  runFinetuning,
  type TransferRecord,
  type TuningSource,
} from "./runs/finetuning";
export type { HeldOutCase, HeldOutEvent } from "./runs/held-out";
export { openLabelledCases, resolveSpacing } from "./runs/labelled-cases";
export { loadModel } from "./runs/load-model";
export { loadSegmenter, type Segmenter } from "./runs/load-segmenter";
export {
  type CaseOutcome,
  type CasePrediction,
  type PredictionEvent,
  type PredictionModel,
  type PredictionRun,
  type PredictOptions,
  predictCase,
  predictWindows,
  runPrediction,
  type WindowProgress,
  writePrediction,
} from "./runs/prediction";
export { type RunEvent, type RunOptions, type RunSource, runPretraining } from "./runs/pretraining";
export {
  type ReconstructionFiles,
  type ReconstructionOptions,
  reconstructImage,
} from "./runs/reconstruction";
export { type ReportOptions, type ReportResult, type ReportStep, writeReport } from "./runs/report";
export { loadMomenta, loadWeights, tensorSources } from "./runs/train-state";
export type { DataSource, TrainingEvent, TrainingOptions } from "./runs/training";
export { keep, type Owned, scope } from "./scope";
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
