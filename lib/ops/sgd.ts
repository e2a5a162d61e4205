import { launch } from "../launch";
import type { Tensor } from "../tensor";

export interface SgdStepOptions {
  /** Learning rate: a number, or one element on the device. */
  lr: number | Tensor;
  /** In [0, 1); above 0 needs momenta. */
  momentum: number;
  weightDecay: number;
  /** Largest gradient norm, 0 = no clipping; needs `norm`. */
  clip: number;
  nesterov: boolean;
  /** What the loss was multiplied with, likewise; the gradients are divided by it before anything else. Default 1. */
  gradientScale?: number | Tensor;
}

/**
 * One step of stochastic gradient descent on many tensors, in place and in one launch (method.md §5, PyTorch's order):
 * g ← g · min(1, clip / (norm + 1e-6)) + weightDecay · w; v ← momentum · v + g; w ← w − lr (g + momentum · v), or
 * w − lr · v without nesterov. A norm that is not finite leaves everything as it is. Gradients are not changed.
 *
 * @param momenta like parameters, zeros before the first step; empty when momentum is 0
 * @throws ShapeError when gradients or momenta do not match; ArgumentRangeError for options out of range
 */
export function sgd(
  parameters: readonly Tensor[],
  gradients: readonly Tensor[],
  momenta: readonly Tensor[],
  norm: Tensor | undefined,
  { lr, gradientScale = 1, ...options }: SgdStepOptions,
): void {
  const [rate, scale] = [lr, gradientScale].map((v) => (typeof v === "number" ? undefined : v));
  const numbers = {
    ...(!rate && { lr: lr as number }),
    ...(!scale && { gradientScale: gradientScale as number }),
  };
  launch("sgd", [norm, rate, scale, ...parameters, ...gradients, ...momenta], { ...options, ...numbers });
}
