import { record } from "../autograd";
import { launch } from "../launch";
import type { Tensor } from "../tensor";

/**
 * Mean over windows of `kernel` voxels, stride = kernel, no padding. Windows lie inside blocks, so visible and masked
 * voxels never mix (method.md §3, 2).
 *
 * @param x (N, C, D, H, W), dense or masked
 * @param kernel (z, y, x); must divide the volume, or the block edge under a mask. Default 2³
 * @throws ShapeError when it does not
 */
export function avgPool3d(x: Tensor, kernel: readonly [number, number, number] = [2, 2, 2]): Tensor {
  const [y] = launch("avg_pool3d_forward", [x], { kernel }) as [Tensor];
  record([x], [y], [], ([gy]) => launch("avg_pool3d_backward", [gy], { kernel }));
  return y;
}
