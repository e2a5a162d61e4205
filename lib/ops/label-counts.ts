import { DataError } from "../errors";
import { launch } from "../launch";
import type { Tensor } from "../tensor";
import { type Region, regionAttributes } from "./regions";

export { type Region, regionAttributes } from "./regions";

/** How two label volumes agree on a region, in voxels. */
export interface LabelCounts {
  TP: number;
  FP: number;
  FN: number;
  TN: number;
}

/**
 * True and false positives and negatives of every region, exact up to 2⁴⁸ voxels (method.md §8).
 *
 * @param prediction (N, 1, D, H, W): labels, whole numbers from 0 to 65535
 * @param reference of the same shape
 * @param ignore voxels with this reference label count nowhere
 * @throws ShapeError, ArgumentRangeError; DataError when voxels hold anything but labels
 */
export async function labelCounts(
  prediction: Tensor,
  reference: Tensor,
  regions: readonly Region[],
  ignore?: number,
): Promise<LabelCounts[]> {
  const attributes = regionAttributes(regions, ignore);
  const [counts, invalid] = launch("label_counts", [prediction, reference], attributes) as [Tensor, Tensor];
  using _counts = counts;
  using _invalid = invalid;
  const numbers = async (t: Tensor) => {
    const limbs = await t.data();
    return Array.from({ length: limbs.length / 2 }, (_, i) => limbs[2 * i]! * 2 ** 24 + limbs[2 * i + 1]!);
  };
  const wrong = await numbers(invalid);
  for (const [i, name] of ["prediction", "reference"].entries())
    if (wrong[i])
      throw new DataError(
        "ERR_VOXELSPARK_DATA",
        `${wrong[i]} voxels of the ${name} are no labels, allowed are whole numbers from 0 to 65535.`,
      );
  const all = await numbers(counts);
  return regions.map((_, r) => {
    const [TP, FP, FN, TN] = all.slice(4 * r, 4 * r + 4) as [number, number, number, number];
    return { TP, FP, FN, TN };
  });
}
