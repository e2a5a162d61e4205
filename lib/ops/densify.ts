import { record } from "../autograd";
import type { BlockMask } from "../block-mask";
import { launch } from "../launch";
import type { Tensor } from "../tensor";

/**
 * A dense tensor from a masked one: masked voxels take the token's value of their channel, or 0 without a token
 * (S3D's densify step, method.md §4 b). Gradients go to the features (visible voxels) and the token (sum over masked
 * voxels).
 *
 * @param x (N, C, D, H, W) under a mask, which must live until backward has run
 * @param token (C) or (1, C, 1, 1, 1)
 * @throws ShapeError when x is dense or the token's shape is another
 */
export function densify(x: Tensor, token?: Tensor): Tensor {
  const [y] = launch("densify_forward", [x, token], {}) as [Tensor];
  const mask = x.mask as BlockMask;
  record([x, token], [y], token ? [token] : [], ([gy]) => [
    x.requiresGrad ? launch("apply_mask_forward", [gy], { mask })[0] : undefined,
    token?.requiresGrad ? launch("densify_token_gradient", [gy, token], { mask })[0] : undefined,
  ]);
  return y;
}
