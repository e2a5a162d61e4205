import { record } from "../autograd";
import type { BlockMask } from "../block-mask";
import { launch } from "../launch";
import type { Tensor } from "../tensor";

/**
 * Mean of (target − prediction)² over the masked voxels of the whole batch: the reconstruction loss of masked
 * autoencoders (method.md §5). Channels count as elements. Without a mask, the mean over everything.
 *
 * @param prediction (N, C, D, H, W), dense
 * @param target of the same shape
 * @param mask must live until backward has run
 * @returns a scalar, shape ()
 * @throws ShapeError when shapes or mask do not fit
 */
export function maskedMse(prediction: Tensor, target: Tensor, mask?: BlockMask): Tensor {
  const [loss] = launch("masked_mse_forward", [prediction, target], { mask }) as [Tensor];
  record([prediction, target], [loss], [prediction, target], ([gloss]) =>
    launch("masked_mse_backward", [prediction, target, gloss], {
      mask,
      targetGradient: target.requiresGrad,
    }),
  );
  return loss;
}
