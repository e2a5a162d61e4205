// Generated from native/ops/ops.def by `npm run schema`. Do not edit.
import type { BlockMask } from "./block-mask";

export const kernelIds = {
  cast: 0,
  leaky_relu_forward: 1,
  leaky_relu_backward: 2,
  scale: 3,
  add_forward: 4,
  accumulate: 5,
  conv3d_forward: 6,
  conv3d_grad_input: 7,
  conv3d_grad_weight: 8,
  conv_transpose3d_forward: 9,
  conv_transpose3d_grad_input: 10,
  conv_transpose3d_grad_weight: 11,
  apply_mask_forward: 12,
  densify_forward: 13,
  densify_token_gradient: 14,
  masked_norm_forward: 15,
  masked_norm_affine: 16,
  residual_forward: 17,
  masked_norm_backward: 18,
  masked_norm_backward_in_place: 19,
  concat_forward: 20,
  concat_backward: 21,
  avg_pool3d_forward: 22,
  avg_pool3d_backward: 23,
  masked_mse_forward: 24,
  masked_mse_backward: 25,
  resample_separable: 26,
  resample_separable_backward: 27,
  resample_affine: 28,
  resample_affine_backward: 29,
  resample_labels: 30,
  gaussian_noise: 31,
  gaussian_blur: 32,
  intensity_scale: 33,
  intensity_contrast: 34,
  intensity_gamma: 35,
  mirror: 36,
  grad_norm: 37,
  dice_cross_entropy_forward: 38,
  dice_cross_entropy_backward: 39,
  gaussian_accumulate: 40,
  gaussian_normalize: 41,
  label_counts: 42,
  surface_dice: 43,
  folded_conv3d_forward: 44,
  folded_conv3d_constants: 45,
  token_affine_forward: 46,
  token_affine_backward: 47,
  sgd: 48,
} as const;

export interface KernelAttributes {
  /** (x~) -> (y) */
  cast: {
    /** Default 0. */
    dtype?: number;
  };
  /** (x~) -> (y) */
  leaky_relu_forward: {
    /** Default 0.01. */
    slope?: number;
  };
  /** (y~ gy~) -> (gx) */
  leaky_relu_backward: {
    /** Default 0.01. */
    slope?: number;
  };
  /** (x~) -> (y) */
  scale: {
    /** Default 1. */
    factor?: number;
  };
  /** (a~ b~) -> (y) */
  add_forward: {};
  /** (sum~! term~) -> () */
  accumulate: {};
  /** (x~ weight bias? affine? x2~?) -> (y moments?) */
  conv3d_forward: {
    /** Default [1, 1, 1]. */
    stride?: readonly [number, number, number];
    /** Default [0, 0, 0]. */
    padding?: readonly [number, number, number];
    /** Default 0. */
    winograd?: number;
    /** Default 1. */
    slope?: number;
    /** Default false. */
    moments?: boolean;
    /** Default undefined. */
    mask?: BlockMask | undefined;
  };
  /** (gy~ weight x~? affine?) -> (gx gx2? sums?) */
  conv3d_grad_input: {
    /** Default [1, 1, 1]. */
    stride?: readonly [number, number, number];
    /** Default [0, 0, 0]. */
    padding?: readonly [number, number, number];
    /** Default 0. */
    winograd?: number;
    /** Default [0, 0, 0]. */
    size?: readonly [number, number, number];
    /** Default 0. */
    split?: number;
    /** Default 1. */
    slope?: number;
    /** Default undefined. */
    mask?: BlockMask | undefined;
  };
  /** (x~ gy~ affine? gy_affine? x2~?) -> (gw gb?) */
  conv3d_grad_weight: {
    /** Default [1, 1, 1]. */
    kernel?: readonly [number, number, number];
    /** Default [1, 1, 1]. */
    stride?: readonly [number, number, number];
    /** Default [0, 0, 0]. */
    padding?: readonly [number, number, number];
    /** Default 0. */
    winograd?: number;
    /** Default false. */
    bias?: boolean;
    /** Default 1. */
    slope?: number;
  };
  /** (x~ weight bias? affine?) -> (y) */
  conv_transpose3d_forward: {
    /** Default 1. */
    slope?: number;
  };
  /** (gy~ weight) -> (gx) */
  conv_transpose3d_grad_input: {};
  /** (x~ gy~ affine?) -> (gw gb?) */
  conv_transpose3d_grad_weight: {
    /** Default false. */
    bias?: boolean;
    /** Default 1. */
    slope?: number;
  };
  /** (x~) -> (y) */
  apply_mask_forward: {
    /** Default undefined. */
    mask?: BlockMask | undefined;
  };
  /** (x~ token?) -> (y) */
  densify_forward: {};
  /** (gy~ token) -> (gtoken) */
  densify_token_gradient: {
    /** Default undefined. */
    mask?: BlockMask | undefined;
  };
  /** (x~ gamma? beta? running_mean!? running_variance!?) -> (y mean inverse_std) */
  masked_norm_forward: {
    /** Default false. */
    batch?: boolean;
    /** Default 1e-05. */
    eps?: number;
    /** Default 1. */
    slope?: number;
    /** Default true. */
    training?: boolean;
    /** Default 0.1. */
    momentum?: number;
  };
  /** (x~ gamma? beta? running_mean!? running_variance!? moments?) -> (affine mean inverse_std) */
  masked_norm_affine: {
    /** Default false. */
    batch?: boolean;
    /** Default 1e-05. */
    eps?: number;
    /** Default 1. */
    slope?: number;
    /** Default true. */
    training?: boolean;
    /** Default 0.1. */
    momentum?: number;
  };
  /** (x~ skip~? affine? skip_affine?) -> (y) */
  residual_forward: {
    /** Default 1. */
    slope?: number;
    /** Default 1. */
    xSlope?: number;
    /** Default 1. */
    skipSlope?: number;
  };
  /** (x~ gy~ mean inverse_std gamma? beta? sums?) -> (gx ggamma? gbeta?) */
  masked_norm_backward: {
    /** Default false. */
    batch?: boolean;
    /** Default 1e-05. */
    eps?: number;
    /** Default 1. */
    slope?: number;
    /** Default true. */
    training?: boolean;
  };
  /** (x~ gy~! mean inverse_std gamma? beta? sums?) -> (ggamma? gbeta?) */
  masked_norm_backward_in_place: {
    /** Default false. */
    batch?: boolean;
    /** Default 1e-05. */
    eps?: number;
    /** Default 1. */
    slope?: number;
    /** Default true. */
    training?: boolean;
  };
  /** (sources~*) -> (y) */
  concat_forward: {};
  /** (gy~) -> (gsources*) */
  concat_backward: {
    /** Default []. */
    channels?: readonly number[];
  };
  /** (x~) -> (y) */
  avg_pool3d_forward: {
    /** Default [2, 2, 2]. */
    kernel?: readonly [number, number, number];
  };
  /** (gy~) -> (gx) */
  avg_pool3d_backward: {
    /** Default [2, 2, 2]. */
    kernel?: readonly [number, number, number];
  };
  /** (prediction target) -> (loss) */
  masked_mse_forward: {
    /** Default undefined. */
    mask?: BlockMask | undefined;
  };
  /** (prediction target gloss) -> (gprediction gtarget?) */
  masked_mse_backward: {
    /** Default undefined. */
    mask?: BlockMask | undefined;
    /** Default false. */
    targetGradient?: boolean;
  };
  /** (x) -> (y) */
  resample_separable: {
    /** Default [0, 0, 0]. */
    size?: readonly [number, number, number];
    /** Default [3, 3, 3]. */
    order?: readonly [number, number, number];
    /** Default true. */
    clip?: boolean;
    /** Default -1. */
    clip_axis?: number;
  };
  /** (gy) -> (gx) */
  resample_separable_backward: {
    /** Default [0, 0, 0]. */
    from?: readonly [number, number, number];
    /** Default [3, 3, 3]. */
    order?: readonly [number, number, number];
  };
  /** (x) -> (y) */
  resample_affine: {
    /** Default [0, 0, 0]. */
    size?: readonly [number, number, number];
    /** Default []. */
    matrix?: readonly number[];
    /** Default 3. */
    order?: number;
    /** Default 0. */
    outside?: number;
  };
  /** (gy) -> (gx) */
  resample_affine_backward: {
    /** Default [0, 0, 0]. */
    from?: readonly [number, number, number];
    /** Default []. */
    matrix?: readonly number[];
    /** Default 3. */
    order?: number;
  };
  /** (x) -> (y) */
  resample_labels: {
    /** Default [0, 0, 0]. */
    size?: readonly [number, number, number];
    /** Default []. */
    matrix?: readonly number[];
    /** Default -1. */
    outside?: number;
  };
  /** (x!) -> () */
  gaussian_noise: {
    /** Default 0. */
    sigma?: number;
    /** Default 0. */
    seed?: number;
    /** Default 0. */
    step?: number;
    /** Default 0. */
    index?: number;
    /** Default 0. */
    purpose?: number;
  };
  /** (x) -> (y) */
  gaussian_blur: {
    /** Default []. */
    sigma?: readonly number[];
  };
  /** (x!) -> () */
  intensity_scale: {
    /** Default 1. */
    factor?: number;
  };
  /** (x!) -> () */
  intensity_contrast: {
    /** Default 1. */
    factor?: number;
  };
  /** (x!) -> () */
  intensity_gamma: {
    /** Default 1. */
    exponent?: number;
    /** Default false. */
    inverted?: boolean;
  };
  /** (x!) -> () */
  mirror: {
    /** Default [0, 0, 0]. */
    axes?: readonly [number, number, number];
  };
  /** (scale? tensors*) -> (norm) */
  grad_norm: {
    /** Default 1. */
    gradientScale?: number;
  };
  /** (logits labels) -> (loss coefficients ce_scale) */
  dice_cross_entropy_forward: {
    /** Default []. */
    labels?: readonly number[];
    /** Default []. */
    sizes?: readonly number[];
    /** Default []. */
    ignore?: readonly number[];
    /** Default false. */
    batchDice?: boolean;
    /** Default 1e-05. */
    smooth?: number;
    /** Default 1. */
    diceWeight?: number;
    /** Default 1. */
    ceWeight?: number;
  };
  /** (logits labels coefficients ce_scale gloss) -> (glogits) */
  dice_cross_entropy_backward: {
    /** Default []. */
    labels?: readonly number[];
    /** Default []. */
    sizes?: readonly number[];
    /** Default []. */
    ignore?: readonly number[];
    /** Default false. */
    batchDice?: boolean;
    /** Default 1e-05. */
    smooth?: number;
    /** Default 1. */
    diceWeight?: number;
    /** Default 1. */
    ceWeight?: number;
  };
  /** (sum! weight!? patch window?) -> () */
  gaussian_accumulate: {
    /** Default [0, 0, 0]. */
    offset?: readonly [number, number, number];
    /** Default [0, 0, 0]. */
    flip?: readonly [number, number, number];
  };
  /** (sum! weight) -> () */
  gaussian_normalize: {};
  /** (prediction reference) -> (counts invalid) */
  label_counts: {
    /** Default []. */
    labels?: readonly number[];
    /** Default []. */
    sizes?: readonly number[];
    /** Default []. */
    ignore?: readonly number[];
  };
  /** (prediction reference) -> (areas) */
  surface_dice: {
    /** Default []. */
    labels?: readonly number[];
    /** Default []. */
    sizes?: readonly number[];
    /** Default []. */
    ignore?: readonly number[];
    /** Default []. */
    spacing?: readonly number[];
    /** Default 1. */
    tolerance?: number;
  };
  /** (s~ weight token bias? up~? up_weight? affine?) -> (y) */
  folded_conv3d_forward: {
    /** Default 0. */
    winograd?: number;
    /** Default 1. */
    slope?: number;
  };
  /** (gy~ weight token swapped) -> (gw gtoken gbias) */
  folded_conv3d_constants: {};
  /** (token) -> (gamma beta) */
  token_affine_forward: {};
  /** (gbeta token) -> (gtoken) */
  token_affine_backward: {};
  /** (norm? rate? scale? tensors!*) -> () */
  sgd: {
    /** Default 0. */
    lr?: number;
    /** Default 0. */
    momentum?: number;
    /** Default 0. */
    weightDecay?: number;
    /** Default 0. */
    clip?: number;
    /** Default 1. */
    gradientScale?: number;
    /** Default false. */
    nesterov?: boolean;
  };
}
