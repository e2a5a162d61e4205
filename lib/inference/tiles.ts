import type { Triple } from "../triple";

/** Starts of patches along an axis: side by side, the last one flush with the end. */
function starts(size: number, patch: number): number[] {
  const count = Math.max(1, Math.ceil(size / patch));
  return Array.from({ length: count }, (_, i) => Math.max(0, Math.min(i * patch, size - patch)));
}

/** Corners (z, y, x) of patches that cover a volume; one at 0 along an axis that is shorter than the patch. */
export function tiles(shape: Triple, patch: Triple): Triple[] {
  return starts(shape[0], patch[0]).flatMap((z) =>
    starts(shape[1], patch[1]).flatMap((y) => starts(shape[2], patch[2]).map((x): Triple => [z, y, x])),
  );
}

/** A run of voxels along x that a volume and a patch share. */
export interface TileRow {
  /** Offset of its first voxel in the volume. */
  volume: number;
  /** Offset of its first voxel in the patch. */
  patch: number;
  length: number;
}

/** The rows of the patch at `start`, clipped to the volume. */
export function* tileRows(shape: Triple, patch: Triple, start: Triple): Generator<TileRow> {
  const [depth, height, length] = patch.map((p, a) => Math.min(p, shape[a]! - start[a]!)) as [
    number,
    number,
    number,
  ];
  for (let z = 0; z < depth; z++)
    for (let y = 0; y < height; y++)
      yield {
        volume: ((start[0] + z) * shape[1] + start[1] + y) * shape[2] + start[2],
        patch: (z * patch[1] + y) * patch[2],
        length,
      };
}
