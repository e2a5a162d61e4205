import { launch } from "../launch";
import type { Tensor } from "../tensor";

/**
 * L2 norm over all elements of all tensors, as used for gradient clipping.
 * @returns a scalar, shape (), on the tensors' device
 */
export function gradNorm(tensors: readonly Tensor[]): Tensor {
  return launch("grad_norm", tensors, {})[0] as Tensor;
}
