/**
 * Volumes side by side in three planes, e.g. input, masked input and reconstruction: one row a plane, one
 * column a volume, all with the same grey window and the right proportions.
 */
import { requireOptions } from "../arguments";
import { ArgumentRangeError } from "../errors";
import type { Triple } from "../triple";
import { Canvas, type Color, textHeight, textWidth } from "./canvas";
import {
  type Direction,
  drawPlane,
  greyWindow,
  type PlaneOptions,
  planeSize,
  planesOf,
  type VolumeColumn,
} from "./planes";

export type { Direction, VolumeColumn } from "./planes";
export { greyWindow } from "./planes";

export interface VolumeOptions extends PlaneOptions {
  title?: string;
  /** Edge of one plane's cell in pixels. */
  cell?: number;
}

const BACKGROUND: Color = [18, 19, 23];
const TEXT: Color = [226, 228, 233];
const DIM: Color = [140, 144, 154];
const GAP = 10;

/** Renders all columns; returns a PNG. */
export function renderVolumes(columns: readonly VolumeColumn[], options: VolumeOptions): Buffer {
  check(columns, requireOptions(options, "renderVolumes: options"));
  const { directions = ["S", "A", "R"], cell = 300, title } = options;
  const window = options.window ?? greyWindow(columns[0]!.data);
  const planes = planesOf(directions);
  const sizes = planes.map((plane) => planeSize(plane, options, cell));
  const [widths, heights] = [sizes.map(({ width }) => width), sizes.map(({ height }) => height)];
  const top = (title === undefined ? 0 : 44) + 40;
  const left = 34;
  const columnWidth = Math.max(...widths, ...columns.map(({ label }) => textWidth(label)));
  const width = left + columns.length * (columnWidth + GAP) + GAP;
  const canvas = new Canvas(
    Math.max(width, textWidth(title ?? "") + left + 2 * GAP),
    top + heights.reduce((sum, height) => sum + height + GAP, 0),
    BACKGROUND,
  );
  if (title !== undefined) canvas.text(title, left, 18, { color: TEXT });
  columns.forEach(({ label }, i) => {
    canvas.text(label, left + i * (columnWidth + GAP) + columnWidth / 2, top - 26, {
      align: "center",
      color: TEXT,
    });
  });
  let y = top;
  planes.forEach((plane, row) => {
    canvas.text(plane.name, 10, y + heights[row]! / 2, { vertical: true, align: "center", color: DIM });
    columns.forEach((column, i) => {
      const x = left + i * (columnWidth + GAP) + Math.floor((columnWidth - widths[row]!) / 2);
      drawPlane(canvas, column, plane, options, window, [x, y, widths[row]!, heights[row]!]);
    });
    const x = left + Math.floor((columnWidth - widths[row]!) / 2);
    drawSide(canvas, plane.sides[0], x + 4, y + Math.floor(heights[row]! / 2) - 7);
    drawSide(canvas, plane.sides[1], x + Math.floor(widths[row]! / 2) - 5, y + 4);
    y += heights[row]! + GAP;
  });
  return canvas.toPng();
}

function drawSide(canvas: Canvas, letter: Direction, x: number, y: number): void {
  canvas.rect(x - 3, y - 3, 16, textHeight() + 2, BACKGROUND, 0.85);
  canvas.text(letter, x, y, { color: TEXT });
}

/**
 * Voxel visibility of a whole patch from the visibility of its mask blocks (C order, 1 = visible).
 * @throws ArgumentRangeError when the grid does not divide the patch
 */
export function visibleVoxels(visible: ArrayLike<number>, grid: Triple, shape: Triple): Uint8Array {
  const out = new Uint8Array(shape[0] * shape[1] * shape[2]);
  const edge = shape.map((size, axis) => size / grid[axis]!);
  if (edge.some((size) => !Number.isInteger(size)) || visible.length !== grid[0] * grid[1] * grid[2]) {
    throw new ArgumentRangeError(
      `A mask of ${visible.length} blocks on a grid of [${grid.join(", ")}] does not fit a patch of [${shape.join(", ")}].`,
    );
  }
  let at = 0;
  for (let z = 0; z < shape[0]; z++) {
    for (let y = 0; y < shape[1]; y++) {
      const row = (Math.floor(z / edge[0]!) * grid[1] + Math.floor(y / edge[1]!)) * grid[2];
      for (let x = 0; x < shape[2]; x++) out[at++] = visible[row + Math.floor(x / edge[2]!)]!;
    }
  }
  return out;
}

function check(columns: readonly VolumeColumn[], { shape, directions, at }: VolumeOptions): void {
  const voxels = shape[0] * shape[1] * shape[2];
  if (columns.length === 0) throw new ArgumentRangeError("A picture of volumes needs at least one volume.");
  for (const { label, data, visible } of columns) {
    for (const array of visible === undefined ? [data] : [data, visible]) {
      if (array.length === voxels) continue;
      throw new ArgumentRangeError(
        `${label} has ${array.length} voxels, the shape [${shape.join(", ")}] has ${voxels}.`,
      );
    }
  }
  const pairs = (directions ?? []).map((d) => ["LR", "AP", "SI"].findIndex((pair) => pair.includes(d)));
  if (new Set(pairs).size !== pairs.length) {
    throw new ArgumentRangeError(`Directions must name three different axes, found ${directions!.join("")}.`);
  }
  if (at?.some((index, axis) => !Number.isInteger(index) || index < 0 || index >= shape[axis]!)) {
    throw new ArgumentRangeError(`The planes' voxel [${at.join(", ")}] lies outside [${shape.join(", ")}].`);
  }
}
