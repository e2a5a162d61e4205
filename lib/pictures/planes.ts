/** The three planes through a volume, each the right way round for a radiologist and in the right proportions. */
import type { Triple } from "../triple";
import { Canvas, type Color } from "./canvas";

/** Where a growing index leads: left, right, anterior, posterior, superior, inferior. */
export type Direction = "L" | "R" | "A" | "P" | "S" | "I";
/** Of growing [z, y, x]. */
export type Directions = readonly [Direction, Direction, Direction];

/** The directions of array axes z, y, x from an orientation of file axes x, y, z, e.g. "RAS". */
export function directionsOf(orientation: string): Directions {
  return [...orientation].reverse() as unknown as Directions;
}

export interface VolumeColumn {
  label: string;
  /** Voxels in [z][y][x] order. */
  data: ArrayLike<number>;
  /** Voxels with 0 here are painted in the mask's colour. Same order as `data`. */
  visible?: ArrayLike<number>;
}

export interface PlaneOptions {
  shape: Triple;
  /** Voxel size along [z, y, x]. */
  spacing?: Triple;
  /** Anatomical directions of growing [z, y, x]; RAS+ axes by default. */
  directions?: Directions;
  /** Voxel [z, y, x] through which the planes go; the centre by default. */
  at?: Triple;
  /** Grey values of black and white; by default the 0.5 and 99.5 percentiles of the first column. */
  window?: readonly [black: number, white: number];
}

const MASKED: Color = [52, 66, 92];
const BROKEN: Color = [230, 30, 60];

export interface Plane {
  name: string;
  /** Array axes that run down and to the right, and whether the index grows against that direction. */
  down: number;
  right: number;
  flipDown: boolean;
  flipRight: boolean;
  /** Array axis that the plane cuts. */
  cut: number;
  sides: readonly [left: Direction, top: Direction];
}

/** The 0.5 and 99.5 percentiles of the finite values: a few very bright voxels do not darken the rest. */
export function greyWindow(data: ArrayLike<number>): [number, number] {
  const stride = Math.max(1, Math.floor(data.length / 200_000));
  const values: number[] = [];
  for (let i = 0; i < data.length; i += stride) if (Number.isFinite(data[i])) values.push(data[i]!);
  if (values.length === 0) return [0, 1];
  const sorted = Float64Array.from(values).sort();
  const low = sorted[Math.floor(0.005 * (sorted.length - 1))]!;
  const high = sorted[Math.ceil(0.995 * (sorted.length - 1))]!;
  return high > low ? [low, high] : [low, low + 1];
}

/** Superior and anterior are up; the patient's right is on the left of the picture, as radiologists look. */
export function planesOf(directions: Directions): Plane[] {
  const axis = (pair: string) => directions.findIndex((direction) => pair.includes(direction));
  const [x, y, z] = [axis("LR"), axis("AP"), axis("SI")];
  const plane = (
    name: string,
    cut: number,
    down: number,
    right: number,
    left: Direction,
    top: Direction,
  ): Plane => ({
    name,
    cut,
    down,
    right,
    flipDown: directions[down] === top,
    flipRight: directions[right] === left,
    sides: [left, top],
  });
  return [
    plane("axial", z, y, x, "R", "A"),
    plane("coronal", y, z, x, "R", "S"),
    plane("sagittal", x, z, y, "A", "S"),
  ];
}

export function drawPlane(
  canvas: Canvas,
  { data, visible }: VolumeColumn,
  plane: Plane,
  { shape, at }: PlaneOptions,
  [black, white]: readonly [number, number],
  [left, top, width, height]: readonly [number, number, number, number],
): void {
  const strides = [shape[1] * shape[2], shape[2], 1];
  const base = (at?.[plane.cut] ?? Math.floor(shape[plane.cut]! / 2)) * strides[plane.cut]!;
  const rows = positions(height, shape[plane.down]!, strides[plane.down]!, plane.flipDown);
  const columns = positions(width, shape[plane.right]!, strides[plane.right]!, plane.flipRight);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const row = rows[y]!;
      const column = columns[x]!;
      if (visible !== undefined && visible[base + row.nearest + column.nearest] === 0) {
        canvas.blend(left + x, top + y, MASKED);
        continue;
      }
      const value =
        (data[base + row.a + column.a]! * (1 - column.t) + data[base + row.a + column.b]! * column.t) *
          (1 - row.t) +
        (data[base + row.b + column.a]! * (1 - column.t) + data[base + row.b + column.b]! * column.t) * row.t;
      const grey = Math.max(0, Math.min(255, (255 * (value - black)) / (white - black)));
      canvas.blend(left + x, top + y, Number.isFinite(value) ? [grey, grey, grey] : BROKEN);
    }
  }
}

/** For each pixel along an axis the two voxels to interpolate between, and the one it lies in. */
function positions(pixels: number, size: number, stride: number, flip: boolean) {
  return Array.from({ length: pixels }, (_, pixel) => {
    const along = ((flip ? pixels - 1 - pixel : pixel) + 0.5) * (size / pixels);
    const centre = Math.max(0, Math.min(size - 1, along - 0.5));
    const a = Math.floor(centre);
    return {
      a: a * stride,
      b: Math.min(a + 1, size - 1) * stride,
      t: centre - a,
      nearest: Math.min(size - 1, Math.floor(along)) * stride,
    };
  });
}

/** Pixels of a plane when the longest side of the volume takes `cell`. */
export function planeSize(
  { down, right }: Plane,
  { shape, spacing = [1, 1, 1] }: PlaneOptions,
  cell: number,
): { width: number; height: number } {
  const scale = cell / Math.max(...shape.map((size, axis) => size * spacing[axis]!)); // pixels a mm
  const pixels = (axis: number) => Math.max(1, Math.round(shape[axis]! * spacing[axis]! * scale));
  return { width: pixels(right), height: pixels(down) };
}

/** One plane of a volume without any writing; returns a PNG. */
export function renderPlane(
  column: VolumeColumn,
  plane: Plane,
  options: PlaneOptions,
  window: readonly [black: number, white: number],
  cell: number,
): Buffer {
  const { width, height } = planeSize(plane, options, cell);
  const canvas = new Canvas(width, height);
  drawPlane(canvas, column, plane, options, window, [0, 0, width, height]);
  return canvas.toPng();
}
