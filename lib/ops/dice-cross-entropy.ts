import { requireOptions } from "../arguments";
import { record } from "../autograd";
import { launch } from "../launch";
import type { Tensor } from "../tensor";
import { type Region, regionAttributes } from "./regions";

export interface DiceCrossEntropyOptions {
  /** One region a channel: sigmoid and binary cross-entropy. Default: exclusive labels, softmax. */
  regions?: readonly Region[];
  /** Label that counts nowhere. */
  ignore?: number;
  /** One Dice a class over the whole batch instead of one a sample. Default false. */
  batchDice?: boolean;
  /** Default 1e-5. */
  smooth?: number;
  /** Default 1 each. */
  diceWeight?: number;
  ceWeight?: number;
}

/**
 * Cross-entropy minus mean soft Dice, the segmentation loss of nnU-Net (method.md §7.4). Exclusive labels: softmax,
 * Dice of all channels but background. Regions: sigmoid, Dice of all channels. Voxels of the ignore label, and voxels
 * that hold no label of the channels (negative, fractional, too large), count nowhere.
 *
 * @param logits (N, C, D, H, W), dense
 * @param labels (N, 1, D, H, W), whole numbers; gets no gradient
 * @returns a scalar, shape (); at best −diceWeight
 * @throws ShapeError, ArgumentRangeError
 */
export function diceCrossEntropy(
  logits: Tensor,
  labels: Tensor,
  options: DiceCrossEntropyOptions = {},
): Tensor {
  requireOptions(options, "diceCrossEntropy: options");
  const { batchDice = false, smooth = 1e-5, diceWeight = 1, ceWeight = 1 } = options;
  const regions = regionAttributes(options.regions ?? [], options.ignore);
  const attributes = { ...regions, batchDice, smooth, diceWeight, ceWeight };
  const [loss, coefficients, scale] = launch("dice_cross_entropy_forward", [logits, labels], attributes) as [
    Tensor,
    Tensor,
    Tensor,
  ];
  record([logits], [loss], [logits, labels, coefficients, scale], ([gloss]) =>
    launch("dice_cross_entropy_backward", [logits, labels, coefficients, scale, gloss], attributes),
  );
  for (const t of [coefficients, scale]) t.dispose(); // from here on the tape's, if anybody's
  return loss;
}
