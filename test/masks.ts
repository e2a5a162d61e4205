/** Masks for tests, those included that the public constructor refuses: all visible, or samples that show nothing. */
import { BlockMask } from "../lib";
import { native } from "../lib/binding";
import type { BlockMaskOptions } from "../lib/block-mask";
import { track } from "../lib/scope";

/** A mask without the check that something is visible and something masked. */
export function looseMask({ samples, grid, visible }: BlockMaskOptions): BlockMask {
  const mask = Object.assign(Object.create(BlockMask.prototype) as BlockMask, {
    samples,
    grid,
    visible,
    visibleCount: visible.reduce((a, b) => a + b, 0),
    id: native.createGrid(samples, [...grid], visible),
    owners: 1,
    released: false,
  });
  track(mask);
  return mask;
}

type Visibility = Pick<BlockMask, "samples" | "grid" | "visible">;

/** Visibility of each voxel in (N, D, H, W) order. */
export function voxelMask(mask: Visibility, size: readonly number[]): Uint8Array {
  const [gd, gh, gw] = mask.grid;
  const [d, h, w] = size as [number, number, number];
  const out = new Uint8Array(mask.samples * d * h * w);
  let i = 0;
  for (let n = 0; n < mask.samples; n++)
    for (let z = 0; z < d; z++)
      for (let y = 0; y < h; y++)
        for (let x = 0; x < w; x++) {
          const cell =
            ((n * gd + Math.floor((z * gd) / d)) * gh + Math.floor((y * gh) / h)) * gw +
            Math.floor((x * gw) / w);
          out[i++] = mask.visible[cell] as number;
        }
  return out;
}

/** Data in (N, C, D, H, W) order with masked voxels set to `value`. */
export function maskedData<A extends Float32Array | Float64Array>(
  data: A,
  shape: readonly number[],
  mask: Visibility | undefined,
  value = 0,
): A {
  const copy = data.slice() as A;
  if (!mask) return copy;
  const [n, c, ...size] = shape as [number, number, number, number, number];
  const voxels = size[0] * size[1] * size[2];
  const visible = voxelMask(mask, size);
  for (let s = 0; s < n; s++)
    for (let k = 0; k < c; k++)
      for (let v = 0; v < voxels; v++) if (!visible[s * voxels + v]) copy[(s * c + k) * voxels + v] = value;
  return copy;
}
