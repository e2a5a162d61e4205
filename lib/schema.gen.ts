// Generated from native/ops/ops.def by `npm run schema`. Do not edit.
import type { BlockMask } from "./block-mask";

export const kernelIds = {
  leaky_relu_forward: 0,
  leaky_relu_backward: 1,
  add_forward: 2,
  accumulate: 3,
} as const;

export interface KernelAttributes {
  /** (x) -> (y) */
  leaky_relu_forward: {
    /** Default 0.01. */
    slope?: number;
  };
  /** (y gy) -> (gx) */
  leaky_relu_backward: {
    /** Default 0.01. */
    slope?: number;
  };
  /** (a b) -> (y) */
  add_forward: {};
  /** (sum! term) -> () */
  accumulate: {};
}
