import { record } from "../autograd";
import { launch } from "../launch";
import type { Tensor } from "../tensor";

/**
 * Joins feature maps along the channels, in the order given.
 *
 * @param sources two or more of shape (N, Cᵢ, D, H, W), of one volume and one mask
 * @returns (N, Σ Cᵢ, D, H, W)
 * @throws ShapeError when anything but the channels differs
 */
export function concat(...sources: Tensor[]): Tensor {
  const [y] = launch("concat_forward", sources, {}) as [Tensor];
  const channels = sources.map((t) => t.shape[1] as number);
  record(sources, [y], [], ([gy]) => launch("concat_backward", [gy], { channels }));
  return y;
}
