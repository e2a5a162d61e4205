/**
 * Every field of a pre-training plan with the values it allows. Rules between fields are in rules.ts, the
 * values of the presets in presets.ts. Triples are [z, y, x], lengths are voxels unless a unit is named.
 */
import { z } from "zod";
import { between, flag, list, oneOf, real, whole } from "./fields";
import {
  checkpoint,
  type DeepPartial,
  type DeepReadonly,
  loader,
  network,
  object,
  preprocessing,
  run,
  sgd,
} from "./sections";

const ratio = between(0, 1);

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
  ...sgd,
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

const augmentation = object({
  rotation: object({
    probability: real(0, 1),
    /** Each of the three angles is uniform in ±degrees. Patches above three times as long as deep turn in their slices by any angle. */
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

export const planSchema = object({
  ...run,
  /**
   * Restores what the released upstream code does differently from the paper (method.md §3 and §5):
   * the input of the encoder is NOT masked, so that voxels beside a masked block see into it, and the
   * learning rate changes once every 250 steps. Where they are not stated it also changes the defaults
   * of mask.block to 16, of mask.coarse to "dense" (the bottleneck is computed everywhere) and of padding
   * to "zero".
   */
  upstreamParity: flag(),
  /** What lies outside of a case: its smallest value, or 0, which is the mean after z-scoring. */
  padding: oneOf("minimum", "zero"),
  network,
  sparsification,
  /**
   * Convolve skips that a mask token fills without filling them, where that is faster on the CPU. Changes results by
   * rounding only, as winograd does.
   */
  tokenFolding: flag(),
  mask,
  optimizer,
  validation,
  preprocessing,
  augmentation,
  loader,
  checkpoint,
});

/** A complete, valid, frozen pre-training plan. */
export type Plan = DeepReadonly<z.infer<typeof planSchema>>;

/** What a user writes: any part of a plan; the rest comes from the preset. */
export type PlanInput = DeepPartial<Plan>;
