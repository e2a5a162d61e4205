import { launch } from "../launch";
import type { Tensor } from "../tensor";

/** x ← factor · x, in place; x dense (N, 1, D, H, W). */
export function scaleIntensity(x: Tensor, factor: number): void {
  launch("intensity_scale", [x], { factor });
}

/**
 * x ← (x − mean)·factor + mean, kept within the old range, in place; mean and range of each sample.
 * @param x dense (N, 1, D, H, W)
 */
export function changeContrast(x: Tensor, factor: number): void {
  launch("intensity_contrast", [x], { factor });
}

/**
 * Gamma correction in place: each sample is mapped to [0, 1], raised to the exponent and mapped back, then moved and
 * stretched to its old mean and deviation. `inverted` does so to −x, which bends the other end of the range.
 * @param x dense (N, 1, D, H, W)
 * @param exponent above 0, at most 100
 */
export function correctGamma(x: Tensor, exponent: number, inverted = false): void {
  launch("intensity_gamma", [x], { exponent, inverted });
}
