import { requireArray, requireOptions } from "../arguments";
import { launch } from "../launch";
import type { Tensor } from "../tensor";
import type { Triple } from "../triple";

export interface AccumulateOptions {
  /** Of the patch's first voxel (z, y, x) in `sum`; may be negative, what falls outside is left out. */
  offset: Triple;
  /** (1, 1, D, H, W): the weight of each voxel of the patch; none = 1 everywhere. */
  window?: Tensor | undefined;
  /** Axes along which the patch is read backwards. Default none. */
  flip?: readonly [boolean, boolean, boolean];
}

/**
 * sum += window · patch and weight += window at an offset, in place: one step of sliding-window prediction
 * (method.md §8). Without window and weight it cuts patches out of volumes and pastes them.
 *
 * @param sum (N, C, D, H, W), dense
 * @param weight (N, 1, D, H, W) of the same size, if wanted
 * @param patch (N, C, D', H', W')
 * @throws ShapeError, ArgumentTypeError when the patch is the accumulator itself
 */
export function gaussianAccumulate(
  sum: Tensor,
  weight: Tensor | undefined,
  patch: Tensor,
  options: AccumulateOptions,
): void {
  requireOptions(options, "gaussianAccumulate: options");
  const { offset, window, flip = [false, false, false] } = options;
  requireArray(flip, "gaussianAccumulate: flip");
  const [z, y, x] = flip.map(Number) as [number, number, number];
  launch("gaussian_accumulate", [sum, weight, patch, window], { offset, flip: [z, y, x] });
}

/** sum /= weight, in place; weight (N, 1, D, H, W). */
export function gaussianNormalize(sum: Tensor, weight: Tensor): void {
  launch("gaussian_normalize", [sum, weight], {});
}
