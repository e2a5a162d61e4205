/** Every precision that the backend offers: of a tensor for the kernels, of a plan for whole steps. */

import type { DType } from "../../lib";
import { dtypeNames } from "../../lib/binding";
import { createPlan, type PlanInput } from "../../lib/plans/plan";

export const precisionNames = ["fp32", "bf16", "fp16"] as const;
export type Precision = (typeof precisionNames)[number];

const dtypes: Record<Precision, string> = { fp32: "float32", bf16: "bfloat16", fp16: "float16" };

export const dtypeOf = (precision: Precision) => dtypes[precision] as DType;

/** Precisions in which feature maps can be stored. */
export const kernelPrecisions = (): Precision[] =>
  precisionNames.filter((name) => (dtypeNames as readonly string[]).includes(dtypes[name]));

/** The plan's word for a precision; undefined where plans do not know it. */
export function planPrecision(precision: Precision): PlanInput["precision"] | undefined {
  for (const word of [precision, dtypes[precision]])
    try {
      return createPlan({ precision: word, device: "cuda" }).precision;
    } catch {}
  return undefined;
}

export const planPrecisions = (): Precision[] =>
  precisionNames.filter((name) => planPrecision(name) !== undefined);
