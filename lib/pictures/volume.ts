/**
 * Volumes side by side in three planes, e.g. input, masked input and reconstruction: one row a plane, one
 * column a volume, all with the same grey window and the right proportions.
 */
import { ArgumentRangeError } from "../errors";
import { Canvas, type Color, textHeight, textWidth } from "./canvas";

type Triple = readonly [number, number, number];

/** Where a growing index leads: left, right, anterior, posterior, superior, inferior. */
export type Direction = "L" | "R" | "A" | "P" | "S" | "I";

export interface VolumeColumn {
  label: string;
  /** Voxels in [z][y][x] order. */
  data: ArrayLike<number>;
  /** Voxels with 0 here are painted in the mask's colour. Same order as `data`. */
  visible?: ArrayLike<number>;
}

export interface VolumeOptions {
  shape: Triple;
  /** Voxel size along [z, y, x]. */
  spacing?: Triple;
  /** Anatomical directions of growing [z, y, x]; RAS+ axes by default. */
  directions?: readonly [Direction, Direction, Direction];
  /** Voxel [z, y, x] through which the planes go; the centre by default. */
  at?: Triple;
  /** Grey values of black and white; by default the 0.5 and 99.5 percentiles of the first column. */
  window?: readonly [black: number, white: number];
  title?: string;
  /** Edge of one plane's cell in pixels. */
  cell?: number;
}

const BACKGROUND: Color = [18, 19, 23];
const TEXT: Color = [226, 228, 233];
const DIM: Color = [140, 144, 154];
const MASKED: Color = [52, 66, 92];
const BROKEN: Color = [230, 30, 60];
const GAP = 10;

interface Plane {
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

/** Renders all columns; returns a PNG. */
export function renderVolumes(columns: readonly VolumeColumn[], options: VolumeOptions): Buffer {
  check(columns, options);
  const { shape, spacing = [1, 1, 1], directions = ["S", "A", "R"], cell = 300, title } = options;
  const window = options.window ?? greyWindow(columns[0]!.data);
  const planes = planesOf(directions);
  const scale = cell / Math.max(...shape.map((size, axis) => size * spacing[axis]!)); // pixels a mm
  const heights = planes.map((plane) =>
    Math.max(1, Math.round(shape[plane.down]! * spacing[plane.down]! * scale)),
  );
  const widths = planes.map((plane) =>
    Math.max(1, Math.round(shape[plane.right]! * spacing[plane.right]! * scale)),
  );
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

/** Voxel visibility of a whole patch from the visibility of its mask blocks (C order, 1 = visible). */
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
function planesOf(directions: readonly [Direction, Direction, Direction]): Plane[] {
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

function drawPlane(
  canvas: Canvas,
  { data, visible }: VolumeColumn,
  plane: Plane,
  { shape, at }: VolumeOptions,
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
