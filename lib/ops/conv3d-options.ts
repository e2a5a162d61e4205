import type { BlockMask } from "../block-mask";
import type { Tensor } from "../tensor";
import type { Triple } from "../triple";

/**
 * Which fast algorithms a 3×3×3 convolution of stride 1 and padding 1 may use where they are faster, by rounding error
 * relative to the output's standard deviation, up to 640 channels: "f2" 5e-6 (tiles F(2,2,2)), "f4" 1e-4 (also
 * F(2,4,4)), "off" 2e-6 (the direct engine).
 */
export type Winograd = "off" | "f2" | "f4";
/** @internal The attribute of the kernels. */
export const winogradNumbers = { off: 0, f2: 1, f4: 2 } as const;

/** What a convolution reads: one map, or two of one volume and mask whose channels follow each other. */
export type Conv3dInput = Tensor | readonly [Tensor, Tensor];

export interface Conv3dOptions {
  /** Step between output voxels, (z, y, x). Default 1. */
  stride?: Triple;
  /** Zeros around the volume, (z, y, x), less than the kernel. Default 0. */
  padding?: Triple;
  /** Compute the visible blocks only. Default: the mask of x. A dense x is then read unmasked. */
  mask?: BlockMask | undefined;
  /** Default "off". */
  winograd?: Winograd;
  /** Leave the statistics of y for a norm, which then need not pass over it. */
  moments?: boolean | undefined;
}

/** Size (D, H, W) of a feature map, or kernel of a weight. */
export const sizeOf = (t: Tensor): Triple => t.shape.slice(2) as unknown as Triple;

/** Zeros around a volume with which a convolution of stride 1 keeps its size; kernels are odd. */
export const samePadding = (kernel: Triple): Triple => [
  (kernel[0] - 1) / 2,
  (kernel[1] - 1) / 2,
  (kernel[2] - 1) / 2,
];
