/** Outlines of a label in one plane: marching squares on voxel centres, as closed polygons. */
import type { Plane, PlaneOptions } from "./planes";

/** Rows × columns as the plane is shown; 1 where the label is. */
export interface PlaneMask {
  rows: number;
  columns: number;
  data: Uint8Array;
}

/** Which voxels of a plane satisfy `inside`, turned as the plane is shown. */
export function planeMask(
  data: ArrayLike<number>,
  plane: Plane,
  { shape, at }: PlaneOptions,
  inside: (value: number) => boolean,
): PlaneMask {
  const strides = [shape[1] * shape[2], shape[2], 1];
  const base = (at?.[plane.cut] ?? Math.floor(shape[plane.cut]! / 2)) * strides[plane.cut]!;
  const [rows, columns] = [shape[plane.down]!, shape[plane.right]!];
  const mask = new Uint8Array(rows * columns);
  for (let y = 0; y < rows; y++) {
    const row = base + (plane.flipDown ? rows - 1 - y : y) * strides[plane.down]!;
    for (let x = 0; x < columns; x++) {
      const column = (plane.flipRight ? columns - 1 - x : x) * strides[plane.right]!;
      if (inside(data[row + column]!)) mask[y * columns + x] = 1;
    }
  }
  return { rows, columns, data: mask };
}

// Sides of a cell between four voxel centres: top, right, bottom, left, as steps of half a voxel from its corner.
const SIDES = [
  [1, 0],
  [2, 1],
  [1, 2],
  [0, 1],
] as const;

/**
 * By which corners are inside (1: top left, 2: top right, 4: bottom right, 8: bottom left) the sides that the outline
 * enters and leaves by, with the inside on its right. Two corners that only touch stay apart.
 */
const SEGMENTS: readonly (readonly (readonly [from: number, to: number])[])[] = [
  [],
  [[0, 3]],
  [[1, 0]],
  [[1, 3]],
  [[2, 1]],
  [
    [0, 3],
    [2, 1],
  ],
  [[2, 0]],
  [[2, 3]],
  [[3, 2]],
  [[0, 2]],
  [
    [1, 0],
    [3, 2],
  ],
  [[1, 2]],
  [[3, 1]],
  [[0, 1]],
  [[3, 0]],
  [],
];

/** An SVG path in half voxels: a picture of it has the view box [0 0 2·columns 2·rows]. Empty where nothing is inside. */
export function outlinePath({ rows, columns, data }: PlaneMask): string {
  const at = (y: number, x: number) =>
    y >= 0 && x >= 0 && y < rows && x < columns ? data[y * columns + x]! : 0;
  const width = 2 * columns + 4;
  const next = new Map<number, number>(); // each point of the outline leads to one other
  for (let y = -1; y < rows; y++)
    for (let x = -1; x < columns; x++) {
      const corners = at(y, x) + 2 * at(y, x + 1) + 4 * at(y + 1, x + 1) + 8 * at(y + 1, x);
      for (const [from, to] of SEGMENTS[corners]!) next.set(point(y, x, from, width), point(y, x, to, width));
    }
  let path = "";
  for (const start of next.keys()) {
    if (!next.has(start)) continue;
    path += `M${polygon(follow(next, start), width)}Z`;
  }
  return path;
}

/** Points are counted from one voxel outside of the plane, so that none is negative. */
function point(y: number, x: number, side: number, width: number): number {
  const [right, down] = SIDES[side]!;
  return (2 * y + 3 + down) * width + 2 * x + 3 + right;
}

/** The closed line through `start`, taken out of `next`. */
function follow(next: Map<number, number>, start: number): number[] {
  const line: number[] = [];
  for (let here = start; next.has(here); ) {
    line.push(here);
    const to = next.get(here)!;
    next.delete(here);
    here = to;
  }
  return line;
}

/** Without the points in the middle of a straight line. */
function polygon(line: readonly number[], width: number): string {
  const kept = line.filter((here, i) => {
    const before = line.at(i - 1)!;
    const after = line[(i + 1) % line.length]!;
    return here - before !== after - here;
  });
  return kept.map((p) => `${(p % width) - 2} ${Math.floor(p / width) - 2}`).join("L");
}
