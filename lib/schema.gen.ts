// Generated from native/ops/ops.def by `npm run schema`. Do not edit.
import type { BlockMask } from "./block-mask";

export const kernelIds = {
  leaky_relu_forward: 0,
  leaky_relu_backward: 1,
  add_forward: 2,
  accumulate: 3,
  conv3d_forward: 4,
  conv3d_grad_input: 5,
  conv3d_grad_weight: 6,
  conv_transpose3d_forward: 7,
  conv_transpose3d_grad_input: 8,
  conv_transpose3d_grad_weight: 9,
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
  /** (x weight bias?) -> (y) */
  conv3d_forward: {
    /** Default [1, 1, 1]. */
    stride?: readonly [number, number, number];
    /** Default [0, 0, 0]. */
    padding?: readonly [number, number, number];
    /** Default undefined. */
    mask?: BlockMask | undefined;
  };
  /** (gy weight) -> (gx) */
  conv3d_grad_input: {
    /** Default [1, 1, 1]. */
    stride?: readonly [number, number, number];
    /** Default [0, 0, 0]. */
    padding?: readonly [number, number, number];
    /** Default [0, 0, 0]. */
    size?: readonly [number, number, number];
    /** Default undefined. */
    mask?: BlockMask | undefined;
  };
  /** (x gy) -> (gw gb?) */
  conv3d_grad_weight: {
    /** Default [1, 1, 1]. */
    kernel?: readonly [number, number, number];
    /** Default [1, 1, 1]. */
    stride?: readonly [number, number, number];
    /** Default [0, 0, 0]. */
    padding?: readonly [number, number, number];
    /** Default false. */
    bias?: boolean;
  };
  /** (x weight bias?) -> (y) */
  conv_transpose3d_forward: {};
  /** (gy weight) -> (gx) */
  conv_transpose3d_grad_input: {};
  /** (x gy) -> (gw gb?) */
  conv_transpose3d_grad_weight: {
    /** Default false. */
    bias?: boolean;
  };
}
