import { launch } from "../launch";
import type { Tensor } from "../tensor";

/**
 * The labels at M · (p, 1) for every output voxel p = (z, y, x): the one with the most weight among the linearly
 * interpolated neighbours, ties to the lowest. Places outside of the input are `outside`.
 *
 * @param labels dense (N, 1, D, H, W), whole numbers
 * @param size (D, H, W) of the output
 * @param matrix 3×4 row-major, rows z, y, x
 * @throws ShapeError, ArgumentRangeError
 */
export function resampleLabels(
  labels: Tensor,
  size: readonly [number, number, number],
  matrix: readonly number[],
  outside = -1,
): Tensor {
  return launch("resample_labels", [labels], { size, matrix, outside })[0] as Tensor;
}
