import { requireArray } from "../arguments";
import { launch } from "../launch";
import type { Tensor } from "../tensor";

/**
 * Reverses axes in place.
 * @param x dense (N, C, D, H, W)
 * @param axes which of z, y, x
 */
export function mirror(x: Tensor, axes: readonly [boolean, boolean, boolean]): void {
  requireArray(axes, "mirror: axes");
  const [z, y, w] = axes.map(Number) as [number, number, number];
  launch("mirror", [x], { axes: [z, y, w] });
}
