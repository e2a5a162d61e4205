import { record } from "../autograd";
import type { BlockMask } from "../block-mask";
import { launch } from "../launch";
import type { Tensor } from "../tensor";

export type Triple = readonly [number, number, number];

/**
 * Which fast algorithms a 3×3×3 convolution of stride 1 and padding 1 may use where they are faster, by rounding error
 * relative to the output's standard deviation, up to 640 channels: "f2" 5e-6 (tiles F(2,2,2)), "f4" 1e-4 (also
 * F(2,4,4)), "off" 2e-6 (the direct engine).
 */
export type Winograd = "off" | "f2" | "f4";
/** @internal The attribute of the kernels. */
export const winogradNumbers = { off: 0, f2: 1, f4: 2 } as const;
const defaultWinograd: Winograd = "off";

export interface Conv3dOptions {
  /** Step between output voxels, (z, y, x). Default 1. */
  stride?: Triple;
  /** Zeros around the volume, (z, y, x), less than the kernel. Default 0. */
  padding?: Triple;
  /** Compute the visible blocks only. Default: the mask of x. A dense x is then read unmasked. */
  mask?: BlockMask | undefined;
  /** Default "off". */
  winograd?: Winograd;
  /** Leave the statistics of y for a norm, which then need not pass over it. Not on CUDA. */
  moments?: boolean | undefined;
}

/** Size (D, H, W) of a feature map, or kernel of a weight. */
export const sizeOf = (t: Tensor): Triple => t.shape.slice(2) as unknown as Triple;

/**
 * 3D convolution. Under a mask only visible voxels are stored and computed; masked voxels of a sparse x read as zero.
 * @param x (N, C, D, H, W)
 * @param weight (K, C, kD, kH, kW), any kernel size
 * @param bias (K)
 * @returns (N, K, D', H', W') with D' = ⌊(D + 2·padding − kD) / stride⌋ + 1, sparse if x is or a mask is given
 * @throws ShapeError when channels or sizes do not fit, or the mask's cells do not divide the output
 */
export function conv3d(x: Tensor, weight: Tensor, bias?: Tensor, options: Conv3dOptions = {}): Tensor {
  const { stride = [1, 1, 1], padding = [0, 0, 0], mask } = options;
  const winograd = winogradNumbers[options.winograd ?? defaultWinograd];
  const { source, affine, slope } = x.onLoad;
  const geometry = { stride, padding, winograd };
  const wanted = { ...geometry, slope, mask, moments: options.moments && x.device !== "cuda" };
  const outputs = launch("conv3d_forward", [source, weight, bias, affine], wanted);
  const [y, moments] = outputs as [Tensor, Tensor?];
  y.moments = moments;
  record([x, weight, bias], [y], [x, weight], ([gy]) => {
    const back = { ...geometry, size: sizeOf(x), mask: x.mask };
    const gx = x.requiresGrad ? launch("conv3d_grad_input", [gy, weight], back)[0] : undefined;
    if (!weight.requiresGrad && !bias?.requiresGrad) return [gx];
    const { source, affine, slope } = x.onLoad;
    const wanted = { ...geometry, kernel: sizeOf(weight), bias: bias?.requiresGrad ?? false, slope };
    return [gx, ...launch("conv3d_grad_weight", [source, gy, affine], wanted)];
  });
  return y;
}
