import { requireOptions } from "../arguments";
import { launch } from "../launch";
import { hashPurpose, type Purpose } from "../random";
import type { Tensor } from "../tensor";

export interface NoiseOptions {
  /** Standard deviation. */
  sigma: number;
  /** The stream of random numbers, as `rng` takes it; step and index default to 0, the purpose to "noise". */
  seed: number;
  step?: number;
  index?: number;
  purpose?: Purpose;
}

/**
 * x += σ·n in place, n being what `rng(seed, step, purpose, index).fillNormal` gives. Every sample gets the same noise.
 *
 * @param x dense (N, 1, D, H, W)
 * @throws ShapeError, ArgumentRangeError
 */
export function gaussianNoise(x: Tensor, options: NoiseOptions): void {
  requireOptions(options, "gaussianNoise: options");
  const { sigma, seed, step = 0, index = 0, purpose = "noise" } = options;
  launch("gaussian_noise", [x], { sigma, seed, step, index, purpose: hashPurpose(purpose) });
}
