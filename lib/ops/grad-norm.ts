import { requireArray } from "../arguments";
import { launch } from "../launch";
import type { Tensor } from "../tensor";

/**
 * L2 norm over all elements of all tensors, as used for gradient clipping.
 * @param gradientScale divides it: what the loss was multiplied with; a number, or one element on the device
 * @returns a scalar, shape (), on the tensors' device
 */
export function gradNorm(tensors: readonly Tensor[], gradientScale: number | Tensor = 1): Tensor {
  requireArray(tensors, "gradNorm: tensors");
  const scale = typeof gradientScale === "number" ? undefined : gradientScale;
  const attributes = typeof gradientScale === "number" ? { gradientScale } : {};
  return launch("grad_norm", [scale, ...tensors], attributes)[0] as Tensor;
}
