/**
 * Every field of a pre-training plan with the values it allows. Rules between fields are in rules.ts, the
 * values of the presets in presets.ts. Triples are [z, y, x], lengths are voxels unless a unit is named.
 */
import { z } from "zod";
import { between, flag, list, oneOf, real, text, triple, whole } from "./fields";

const object = <T extends z.ZodRawShape>(shape: T) => z.strictObject(shape, { error: "must be an object" });

const ratio = between(0, 1);

const network = object({
  /** Image channels (modalities) of a sample. */
  inChannels: whole(1, 64),
  /** Channels reconstructed; pre-training reconstructs its input, so equal to inChannels. */
  outChannels: whole(1, 64),
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

/** The three parts of the sparsification, as the paper's ablation switches them (method.md §4). */
const sparsification = object({
  /** Sparse convolutions and norms in the encoder: masked voxels are neither computed nor counted. */
  sparse: flag(),
  /** Masked voxels of each skip are filled with a learned token before decoding. */
  maskToken: flag(),
  /** A convolution over each filled skip before decoding (all but the highest resolution). */
  densifyConv: flag(),
});

const mask = object({
  /** Edge of a mask block in voxels of the patch; divides every axis of it. */
  block: whole(1, 512),
  /** Share of masked blocks: one number, or [low, high] to draw from uniformly. */
  ratio: z.union([ratio, z.tuple([ratio, ratio])], {
    error: "must be a number above 0 and below 1, or a list [low, high] of two such numbers",
  }),
  /** Whether a batch shares one drawn ratio or each sample draws its own. */
  per: oneOf("batch", "sample"),
  /**
   * What a stage does whose voxels are larger than a mask block: "dense" computes it everywhere (upstream's
   * rule), "any" keeps a voxel visible if any block in it is visible. null where no stage is that coarse.
   */
  coarse: z.union([z.enum(["dense", "any"]), z.null()], { error: 'must be "dense", "any" or null' }),
});

const optimizer = object({
  /** Peak learning rate. */
  learningRate: between(0, 1000),
  momentum: real(0, 0.9999),
  nesterov: flag(),
  /** Added to the gradient of every parameter, norms and tokens too (as upstream). */
  weightDecay: real(0, 1),
  /** Largest L2 norm of the whole gradient; null leaves it unclipped. */
  clip: z.union([between(0, 1e9), z.null()], { error: "must be a number above 0 or null" }),
  /** Exponent of the polynomial decay. */
  polyPower: real(0, 10),
  /** Steps of linear warm-up before the decay; the decay then spans the rest. */
  warmupSteps: whole(0, 1e8),
});

const validation = object({
  /** Share of the subjects held out, within the two bounds below and never more than half of them. */
  fraction: real(0, 0.5),
  minSubjects: whole(0, 100000),
  maxSubjects: whole(0, 100000),
  /** Steps between two validations. */
  every: whole(1, 1e8),
  /** Fixed patches, each with a fixed mask; the same ones at every validation. 0 switches it off. */
  patches: whole(0, 10000),
});

const preprocessing = object({
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

const augmentation = object({
  rotation: object({
    probability: real(0, 1),
    /** Each of the three angles is uniform in ±degrees. */
    degrees: real(0, 180),
  }),
  scaling: object({
    probability: real(0, 1),
    /** Half of the draws below 1, half above; above 1 the content shrinks. */
    range: z.tuple([real(0.1, 1), real(1, 10)], {
      error: "must be a list [low, high] with 0.1 <= low <= 1 <= high <= 10",
    }),
  }),
  mirroring: object({
    /** Of each axis on its own. */
    probability: real(0, 1),
    /** Axes that may be mirrored: 0 = z, 1 = y, 2 = x. */
    axes: list(whole(0, 2), 0, 3, "axes out of 0, 1 and 2"),
  }),
  interpolation: oneOf("cubic", "linear"),
});

const loader = object({
  /** Worker threads that cut and augment patches; 0 does it in the main thread. Never changes a result. */
  workers: whole(0, 256),
  /** Batches prepared ahead. */
  prefetch: whole(1, 64),
});

const checkpoint = object({
  /** Steps between two checkpoints; one is always written at the end and on interruption. */
  every: whole(1, 1e8),
  /** Newest ones kept. */
  keep: whole(1, 1000),
});

export const planSchema = object({
  /** Version of the plan format. */
  version: z.literal(1, { error: "must be 1, the plan version that this release reads" }),
  name: text(200),
  /** Everything random follows from it. */
  seed: whole(0, Number.MAX_SAFE_INTEGER),
  /** "auto" takes the GPU if there is a working one. */
  device: oneOf("auto", "cpu", "cuda"),
  precision: oneOf("float32"),
  /**
   * Winograd transforms that 3×3×3 convolutions may use on the CPU: "f4" is fastest with an error of at most 1e-4 of
   * the output's deviation, "f2" 5e-6, "off" computes directly, 2e-6.
   */
  winograd: oneOf("off", "f2", "f4"),
  /**
   * Restores what the released upstream code does differently from the paper (method.md §3 and §5):
   * the input of the encoder is NOT masked, so that voxels beside a masked block see into it, and the
   * learning rate changes once every 250 steps. Where they are not stated it also changes the defaults
   * of mask.block to 16, of mask.coarse to "dense" (the bottleneck is computed everywhere) and of padding
   * to "zero".
   */
  upstreamParity: flag(),
  /** Size of a training patch. */
  patch: triple(whole(4, 1024), "sizes"),
  /** What lies outside of a case: its smallest value, or 0, which is the mean after z-scoring. */
  padding: oneOf("minimum", "zero"),
  /** Patches a step. */
  batch: whole(1, 1024),
  /** Length of the training. */
  steps: whole(1, 1e8),
  network,
  sparsification,
  mask,
  optimizer,
  validation,
  preprocessing,
  augmentation,
  loader,
  checkpoint,
});

type DeepReadonly<T> = T extends object ? { readonly [K in keyof T]: DeepReadonly<T[K]> } : T;
type DeepPartial<T> = T extends readonly unknown[]
  ? T
  : T extends object
    ? { readonly [K in keyof T]?: DeepPartial<T[K]> }
    : T;

/** A complete, valid, frozen pre-training plan. */
export type Plan = DeepReadonly<z.infer<typeof planSchema>>;

/** What a user writes: any part of a plan; the rest comes from the preset. */
export type PlanInput = DeepPartial<Plan>;
