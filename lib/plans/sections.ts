/**
 * What the plans of pre-training and fine-tuning have in common, field by field with the values allowed. Triples are
 * [z, y, x], lengths are voxels unless a unit is named.
 */
import { z } from "zod";
import { precisions } from "../device";
import { between, flag, list, oneOf, real, text, triple, whole } from "./fields";

export const object = <T extends z.ZodRawShape>(shape: T) =>
  z.strictObject(shape, { error: "must be an object" });

/** How long and on what a run trains; fields of the plan itself. */
export const run = {
  /** Version of the plan format. */
  version: z.literal(1, { error: "must be 1, the plan version that this release reads" }),
  name: text(200),
  /** Everything random follows from it. */
  seed: whole(0, Number.MAX_SAFE_INTEGER),
  /** "auto" takes the GPU if there is a working one. */
  device: oneOf("auto", "cpu", "cuda"),
  /**
   * Type of feature maps and their gradients: "bf16" and "fp16" on CUDA only, with half of the memory; fp16 scales the loss.
   * Parameters, sums, statistics and losses are float32 in all of them. Plans once said "float32" for fp32.
   */
  precision: z.preprocess((value) => (value === "float32" ? "fp32" : value), oneOf(...precisions)),
  /**
   * Winograd transforms that 3×3×3 convolutions may use on the CPU: "f4" is fastest with an error of at most 1e-4 of
   * the output's deviation, "f2" 5e-6, "off" computes directly, 2e-6.
   */
  winograd: oneOf("off", "f2", "f4"),
  /**
   * Apply norms where they are read instead of writing their output, on the CPU: less time and memory. Changes results
   * by rounding only.
   */
  fusion: flag(),
  /**
   * On CUDA, repeat training steps as CUDA graphs: the same bits with fewer launches by the host. Whether that pays is not
   * measured.
   */
  cudaGraph: flag(),
  /** Size of a training patch. */
  patch: triple(whole(4, 1024), "sizes"),
  /** Patches a step. */
  batch: whole(1, 1024),
  /** Length of the training. */
  steps: whole(1, 1e8),
};

export const network = object({
  /** Image channels (modalities) of a sample. */
  inChannels: whole(1, 64),
  /** Pre-training reconstructs its input, so equal to inChannels; fine-tuning has one a class or region. */
  outChannels: whole(1, 1024),
  /** Channels of each encoder stage; the stem has those of stage 0. */
  features: list(whole(1, 4096), 2, 8, "channel counts, one a stage"),
  /** Residual blocks of each encoder stage. */
  blocks: list(whole(1, 32), 2, 8, "block counts, one a stage"),
  /** Kernel of each stage; odd. */
  kernels: list(triple(whole(1, 7), "odd kernel sizes"), 2, 8, "kernels, one a stage"),
  /** Stride of the first block of each stage; [1, 1, 1] for stage 0. */
  strides: list(triple(whole(1, 4), "strides"), 2, 8, "strides, one a stage"),
  norm: oneOf("instance", "batch"),
  decoder: object({
    /** Convolutions of each decoder stage, lowest resolution first. */
    convs: list(whole(1, 8), 1, 7, "convolution counts, one a decoder stage"),
  }),
});

/** Stochastic gradient descent; fields of `optimizer`. */
export const sgd = {
  momentum: real(0, 0.9999),
  nesterov: flag(),
  /** Added to the gradient of every parameter, norms and tokens too (as upstream). */
  weightDecay: real(0, 1),
  /** Largest L2 norm of the whole gradient; null leaves it unclipped. */
  clip: z.union([between(0, 1e9), z.null()], { error: "must be a number above 0 or null" }),
};

export const preprocessing = object({
  /** Voxel size in mm [z, y, x]; "median" takes the set's median; null keeps each image's own. */
  spacing: z.union([triple(real(0.01, 100), "numbers of mm"), z.literal("median"), z.null()], {
    error: 'must be a list of three spacings from 0.01 to 100 mm [z, y, x], "median" or null',
  }),
  /** "nonzero" cuts each image to the box around its non-zero voxels (holes filled). */
  crop: oneOf("nonzero", "none"),
  /** z-score over the cropped box, or the values as they are. */
  normalization: oneOf("zscore", "none"),
  interpolation: oneOf("cubic", "linear"),
  /** Spacing ratio above which the coarse axis is resampled on its own (nearest). */
  anisotropyThreshold: real(1, 1000),
  /** What a NaN or infinite voxel does: "error" refuses the image, "zero" writes 0. */
  nonFinite: oneOf("error", "zero"),
  /** Which of the affines stored in a NIfTI file to trust; "auto" refuses two that disagree. */
  geometry: oneOf("auto", "sform", "qform"),
});

export const loader = object({
  /** Worker threads that cut and augment patches; 0 does it in the main thread. Never changes a result. */
  workers: whole(0, 256),
  /** Batches prepared ahead. */
  prefetch: whole(1, 64),
});

export const checkpoint = object({
  /** Steps between two checkpoints; one is always written at the end and on interruption. */
  every: whole(1, 1e8),
  /** Newest ones kept. */
  keep: whole(1, 1000),
});

export type DeepReadonly<T> = T extends object ? { readonly [K in keyof T]: DeepReadonly<T[K]> } : T;
export type DeepPartial<T> = T extends readonly unknown[]
  ? T
  : T extends object
    ? { readonly [K in keyof T]?: DeepPartial<T[K]> }
    : T;
