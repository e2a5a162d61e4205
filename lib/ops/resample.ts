import { requireOptions } from "../arguments";
import { record } from "../autograd";
import { ArgumentRangeError } from "../errors";
import { launch } from "../launch";
import type { Tensor } from "../tensor";
import type { Triple } from "../triple";
import { sizeOf } from "./conv3d-options";

/** 0 nearest, 1 linear, 3 cubic B-spline with prefilter. */
export type InterpolationOrder = 0 | 1 | 3;

export interface ResizeOptions {
  /** Of all axes, or of (z, y, x). Default 3. */
  order?: InterpolationOrder | readonly [InterpolationOrder, InterpolationOrder, InterpolationOrder];
  /** Keep each sample's and channel's range. Default true. */
  clip?: boolean;
  /** Keep the range of each slice along this axis (0 z, 1 y, 2 x) instead; the axis must have order 0. */
  clipAxis?: 0 | 1 | 2;
}

/**
 * Resizes the voxel axes, each on its own: pixel-centre mapping, edge extension, no anti-aliasing, as
 * skimage.transform.resize does. Its gradient exists without clipping only.
 * @param x dense (N, C, D, H, W)
 * @param size new (D, H, W)
 * @throws ShapeError; ArgumentRangeError, of backward also where it clips
 */
export function resize(x: Tensor, size: Triple, options: ResizeOptions = {}): Tensor {
  const { order = 3, clip = true } = requireOptions(options, "resize: options");
  const orders = typeof order === "number" ? ([order, order, order] as const) : order;
  const attributes = { size, order: orders, clip, clip_axis: options.clipAxis ?? -1 };
  const [y] = launch("resample_separable", [x], attributes) as [Tensor];
  record([x], [y], [], ([gy]) => {
    if (clip) throw new ArgumentRangeError("resize has a gradient with clip: false only, found clip: true");
    return launch("resample_separable_backward", [gy], { from: sizeOf(x), order: orders });
  });
  return y;
}

/**
 * y[p] = x(M · (p, 1)) for every output voxel p = (z, y, x); places outside of the input are `outside`, as
 * scipy.ndimage.map_coordinates(mode="constant") does. Differentiable in x.
 * @param x dense (N, C, D, H, W)
 * @param size (D, H, W) of the output
 * @param matrix 3×4 row-major, rows z, y, x; or one for each sample, one after the other
 * @throws ShapeError, ArgumentRangeError
 */
export function resampleAffine(
  x: Tensor,
  size: Triple,
  matrix: readonly number[],
  options: { order?: InterpolationOrder; outside?: number } = {},
): Tensor {
  const { order = 3, outside = 0 } = requireOptions(options, "resampleAffine: options");
  const [y] = launch("resample_affine", [x], { size, matrix, order, outside }) as [Tensor];
  record([x], [y], [], ([gy]) =>
    launch("resample_affine_backward", [gy], { from: sizeOf(x), matrix, order }),
  );
  return y;
}
