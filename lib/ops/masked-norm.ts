import { requireOptions } from "../arguments";
import { record } from "../autograd";
import { ArgumentRangeError } from "../errors";
import { launch } from "../launch";
import { requireTensor, Tensor } from "../tensor";
import type { MaskedNormOptions } from "./masked-norm-options";

export type { MaskedNormOptions } from "./masked-norm-options";

/**
 * Instance or batch normalisation with statistics over visible voxels only (method.md §3, 3): mean and biased variance
 * over however many voxels each sample shows, then γ x̂ + β, then optionally leaky ReLU. Masked voxels stay exactly 0.
 * One visible voxel gives β. The running variance is the unbiased one, as in PyTorch. Backward keeps x and statistics.
 * @param x (N, C, D, H, W), dense or masked
 * @param gamma (C); give both or neither
 * @param beta (C)
 * @throws ShapeError, ArgumentRangeError, ArgumentTypeError (running statistics missing in evaluation)
 */
export function maskedNorm(
  x: Tensor,
  gamma: Tensor | undefined,
  beta: Tensor | undefined,
  options: MaskedNormOptions,
): Tensor {
  requireOptions(options, "maskedNorm: options");
  const { kind, eps = 1e-5, slope = 1, running, training = true, pending = false } = options;
  if (!/^(instance|batch)$/.test(kind)) throw new ArgumentRangeError(`kind is ${kind}, not instance/batch`);
  requireTensor(x, "maskedNorm: x");
  const attributes = { batch: kind === "batch", eps, slope, training };
  const kernel = pending ? "masked_norm_affine" : "masked_norm_forward";
  const inputs = [x, gamma, beta, running?.mean, running?.variance, ...(pending ? [x.left()] : [])];
  const forward = { ...attributes, momentum: running?.momentum ?? 0.1 };
  const [first, mean, inverseStd] = launch(kernel, inputs, forward) as [Tensor, Tensor, Tensor];
  const y = pending ? pendingOn(x, first, slope) : first;
  const parameters = gamma && beta ? [gamma, beta] : [];
  record([x, gamma, beta], [y], [x, mean, inverseStd, ...parameters], ([gy]) => {
    const given = [x, gy, mean, inverseStd, gamma, beta, gy?.left(y)];
    if (!pending || !gy?.isExclusive) return launch("masked_norm_backward", given, attributes);
    return [gy, ...launch("masked_norm_backward_in_place", given, attributes)];
  });
  for (const statistics of [mean, inverseStd]) statistics.dispose(); // from here on the tape's, if anybody's
  return y;
}

/** act of the affine map of x, unwritten. */
function pendingOn(x: Tensor, affine: Tensor, xSlope: number): Tensor {
  const write = () => launch("residual_forward", [x, undefined, affine], { slope: 1, xSlope })[0] as Tensor;
  const y = new Tensor({ source: x, affine, slope: xSlope, write }, x.shape, x.device, x.dtype, x.mask);
  affine.dispose(); // from here on y's
  return y;
}
