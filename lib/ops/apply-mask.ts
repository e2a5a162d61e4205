import { record } from "../autograd";
import type { BlockMask } from "../block-mask";
import { launch } from "../launch";
import type { Tensor } from "../tensor";

/**
 * The visible blocks of a dense tensor; masked voxels are no longer stored and read as 0. The gradient is 0 there.
 *
 * @param x (N, C, D, H, W), dense
 * @param mask of N samples, its grid divides (D, H, W); must live until backward has run
 * @throws ShapeError when the mask does not fit or x is masked already
 */
export function applyMask(x: Tensor, mask: BlockMask): Tensor {
  const [y] = launch("apply_mask_forward", [x], { mask }) as [Tensor];
  record([x], [y], [], ([gy]) => launch("densify_forward", [gy], {}));
  return y;
}
