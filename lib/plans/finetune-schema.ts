/**
 * Every field of a fine-tuning plan with the values it allows; what it shares with pre-training is in sections.ts, the
 * rules between fields are in finetune.ts. Triples are [z, y, x], lengths are voxels unless a unit is named.
 */
import { z } from "zod";
import type { LabelScheme } from "../labels";
import { between, flag, list, oneOf, real, text, whole } from "./fields";
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

const label = whole(0, 65535);

/** What the values of a label map mean, as dataset.json of nnU-Net says it. */
const labels = object({
  labels: z.record(text(200), z.union([label, list(label, 1, 1000, "labels")]), {
    error: "must be an object of names with a label from 0 to 65535, or a list of labels, each",
  }),
  /** Of regions: the label that each paints, later ones over earlier ones. */
  regionsClassOrder: list(label, 1, 1000, "labels").optional(),
});

/** Names of the schedules of method.md §7.3. */
export const SCHEDULES = [
  "two-stage-warmup",
  "warmup",
  "sawtooth",
  "frozen-encoder",
  "no-warmup",
  "from-scratch",
] as const;

const schedule = object({
  /**
   * Learning rate of each step and which parameters it trains.
   * "two-stage-warmup": the encoder frozen, a ramp on the newly initialised parameters; a ramp on everything; poly.
   * "warmup": a ramp on everything, poly.
   * "sawtooth": the encoder frozen, a ramp and a decay on the decoder; a ramp on everything; poly.
   * "frozen-encoder": a ramp and poly on the decoder; the encoder never changes.
   * "no-warmup": poly on everything, at the low rate of transferred weights.
   * "from-scratch": poly on everything, at the high rate of new weights (nnU-Net's default).
   */
  kind: oneOf(...SCHEDULES),
  /** Peak learning rate. */
  learningRate: between(0, 1000),
  /** Exponent of the polynomial decay. */
  polyPower: real(0, 10),
  /** Share of the steps at the beginning of two-stage-warmup and sawtooth in which the encoder is frozen. */
  frozenShare: real(0, 0.5),
  /** Share of the steps of the ramp before the polynomial decay. */
  rampShare: real(0, 0.5),
});

const loss = object({
  diceWeight: real(0, 1000),
  crossEntropyWeight: real(0, 1000),
  /** One Dice a class over the whole batch instead of one a sample. */
  batchDice: flag(),
  /** Added to numerator and denominator of the soft Dice. */
  smooth: real(0, 1),
  /** A loss at every decoder stage but the lowest, weights 1, 1/2, 1/4, … normalised to 1. */
  deepSupervision: flag(),
});

const validation = object({
  /** Steps between two validations. */
  every: whole(1, 1e8),
  /** Fixed patches, the same ones at every validation. 0 switches it off; there is no best checkpoint then. */
  patches: whole(0, 10000),
  /** Weight of the past in the running mean of the validation Dice that picks the best checkpoint. */
  smoothing: real(0, 0.9999),
});

/** Prediction of the fold's validation cases after the last step. */
const prediction = object({
  /** Distance of neighbouring windows at most, as a share of the patch. */
  step: real(0.05, 1),
  /** Axes of test-time mirroring: 0 = z, 1 = y, 2 = x. */
  mirroring: list(whole(0, 2), 0, 3, "axes out of 0, 1 and 2"),
});

export const finetunePlanSchema = object({
  kind: z.literal("finetune", { error: 'must be "finetune"' }),
  ...run,
  /** Names of the image channels, in their order, as channel_names of dataset.json. */
  channels: list(text(200), 1, 64, "channel names"),
  labels,
  /** Of five-fold cross-validation, or of splits_final.json; "all" trains on every case. */
  fold: z.union([whole(0, 999), z.literal("all")], {
    error: 'must be a whole number from 0 to 999 or "all"',
  }),
  network,
  /** Weights taken from the pre-trained network; never the heads. "none" trains a new network. */
  transfer: oneOf("none", "encoder", "encoder+decoder"),
  schedule,
  optimizer: object(sgd),
  loss,
  /** Share of a batch's samples that are centred on a foreground voxel. */
  foreground: real(0, 1),
  /** nnU-Net's default list, mirroring alone, or nothing. */
  augmentation: oneOf("nnunet", "mirror", "none"),
  preprocessing,
  validation,
  prediction,
  loader,
  checkpoint,
});

/** A complete, valid, frozen fine-tuning plan. */
export type FinetunePlan = Omit<DeepReadonly<z.infer<typeof finetunePlanSchema>>, "labels"> & {
  readonly labels: LabelScheme;
};

/** What a user writes: any part of a plan; the rest comes from the preset. `labels` is taken as a whole. */
export type FinetunePlanInput = DeepPartial<Omit<FinetunePlan, "labels">> & { readonly labels?: LabelScheme };

export type ScheduleKind = (typeof SCHEDULES)[number];
