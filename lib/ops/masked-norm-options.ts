import type { Tensor } from "../tensor";

export interface MaskedNormOptions {
  /** Statistics per sample and channel, or per channel over the batch. */
  kind: "instance" | "batch";
  /** Added to the variance. Default 1e-5. */
  eps?: number;
  /** Negative slope of a leaky ReLU fused after the affine map; 1 = none. Default 1. */
  slope?: number;
  /** Batch only: (C) each, updated in place when training, used in evaluation. `momentum` weighs the new batch; default 0.1. */
  running?: { mean: Tensor; variance: Tensor; momentum?: number };
  /** Default true. */
  training?: boolean;
  /** Let the ops that read y compute it, on load; written where one cannot. x must not change. */
  pending?: boolean;
}
