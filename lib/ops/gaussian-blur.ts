import { launch } from "../launch";
import type { Tensor } from "../tensor";

/**
 * Convolution with a Gaussian, mirrored at the borders; the kernel has the odd length nearest to 6σ + ½.
 *
 * @param x dense (N, 1, D, H, W)
 * @param sigma deviation in voxels along z, y, x, from 0 (axis left alone) to 100
 * @throws ShapeError, ArgumentRangeError
 */
export function gaussianBlur(x: Tensor, sigma: readonly [number, number, number]): Tensor {
  return launch("gaussian_blur", [x], { sigma })[0] as Tensor;
}
