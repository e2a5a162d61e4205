import { requireOptions } from "../arguments";
import { launch } from "../launch";
import type { Tensor } from "../tensor";
import { type Region, regionAttributes } from "./regions";

export interface SurfaceDiceOptions {
  /** mm along z, y, x. */
  spacing: readonly [number, number, number];
  /** mm. */
  tolerance: number;
  /** Voxels with this reference label are outside of every region. */
  ignore?: number | undefined;
}

/**
 * Normalised surface Dice (NSD) of every region: the share of both surfaces, by area, that lies within the tolerance
 * of the other one (method.md §8). 0 when one surface is missing, null when both are.
 *
 * @param prediction (1, 1, D, H, W): labels, whole numbers from 0 to 65535
 * @param reference of the same shape
 * @throws ShapeError, ArgumentRangeError
 */
export async function surfaceDice(
  prediction: Tensor,
  reference: Tensor,
  regions: readonly Region[],
  options: SurfaceDiceOptions,
): Promise<(number | null)[]> {
  const { spacing, tolerance, ignore } = requireOptions(options, "surfaceDice: options");
  const attributes = { ...regionAttributes(regions, ignore), spacing, tolerance };
  using areas = launch("surface_dice", [prediction, reference], attributes)[0] as Tensor;
  const values = await areas.data();
  return regions.map((_, r) => {
    const [p, allP, q, allQ] = values.slice(4 * r, 4 * r + 4) as unknown as [number, number, number, number];
    return allP + allQ === 0 ? null : (p + q) / (allP + allQ);
  });
}
