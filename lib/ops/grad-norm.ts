import { launch } from "../launch";
import type { Tensor } from "../tensor";

/**
 * L2 norm over all elements of all tensors, as used for gradient clipping.
 * @param gradientScale divides it: what the loss was multiplied with
 * @returns a scalar, shape (), on the tensors' device
 */
export function gradNorm(tensors: readonly Tensor[], gradientScale = 1): Tensor {
  return launch("grad_norm", tensors, { gradientScale })[0] as Tensor;
}
