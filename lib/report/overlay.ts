/** A case in three planes with the outlines of its reference and its prediction drawn over the image. */
import { outlinePath, planeMask } from "../pictures/contours";
import {
  type Directions,
  greyWindow,
  type Plane,
  type PlaneOptions,
  planesOf,
  renderPlane,
} from "../pictures/planes";
import type { Triple } from "../triple";
import { html, type Markup } from "./html";
import { planeGrid, planePicture } from "./planes";

/** A class or region by name, with the labels that belong to it. */
export interface NamedRegion {
  name: string;
  labels: readonly number[];
}

export interface SegmentedCase {
  name: string;
  /** E.g. "best case: mean Dice 0.91". */
  caption: string;
  shape: Triple;
  spacing: Triple;
  directions: Directions;
  /** First channel; undefined where the image was not found. */
  image: ArrayLike<number> | undefined;
  reference: ArrayLike<number>;
  prediction: ArrayLike<number>;
}

const CELL = 340; // pixels of the longest side
const COLORS = [1, 2, 4, 5, 6, 7, 8]; // of the style sheet; 3 is grey

/** Three planes beside each other, each through the slice with most foreground. */
export function overlay(shown: SegmentedCase, regions: readonly NamedRegion[]): Markup {
  const { shape, spacing, directions, reference, prediction } = shown;
  const image = shown.image ?? new Uint8Array(reference.length);
  const at = fullestSlices(shape, reference, prediction);
  const options: PlaneOptions = { shape, spacing, directions, at };
  const window = greyWindow(image);
  const planes = planesOf(directions);
  const pictures = planes.map((plane) => {
    const png = renderPlane({ label: "", data: image }, plane, options, window, CELL);
    const over = drawing(shown, plane, options, regions);
    const slice = `${plane.name}, slice ${at[plane.cut]! + 1} of ${shape[plane.cut]}`;
    return planePicture(plane, png, `${shown.name}, ${slice}`, { letters: true, over });
  });
  const heads = planes.map((plane) => `${plane.name}, ${at[plane.cut]! + 1}/${shape[plane.cut]}`);
  const caption = html`<b>${shown.name}</b>${shown.caption}${shown.image === undefined && "; its image was not found"}`;
  return planeGrid(heads, [pictures], caption);
}

/** What the lines mean. */
export function overlayKey(regions: readonly NamedRegion[]): Markup {
  const kinds = html`<span class="key"><svg viewBox="0 0 22 10" class="c3"><rect class="area" y="1" width="22" height="8" rx="2"/></svg>reference</span><span class="key"><svg viewBox="0 0 22 10" class="c3"><path class="line" d="M0 5H22"/></svg>prediction</span>`;
  const names = regions.map(
    ({ name }, i) =>
      html`<span class="key"><svg viewBox="0 0 22 10" class="c${colorOf(i)}"><rect class="solid" x="6" width="10" height="10" rx="3"/></svg>${name}</span>`,
  );
  return html`<p class="legend overlay">${kinds}${names}</p>`;
}

function drawing(
  { reference, prediction }: SegmentedCase,
  plane: Plane,
  options: PlaneOptions,
  regions: readonly NamedRegion[],
): Markup {
  const [rows, columns] = [options.shape[plane.down]!, options.shape[plane.right]!];
  const drawn = regions.map(({ name, labels }, i) => {
    const inside = (value: number) => labels.includes(value);
    const masks = [reference, prediction].map((data) => planeMask(data, plane, options, inside));
    const [wanted, found] = masks.map(outlinePath);
    const area = masks.reduce((sum, { data }) => data.reduce((a, b) => a + b, sum), 0);
    const filled = html`<path class="area" d="${wanted}"><title>${name}, reference</title></path>`;
    const lines = html`<path class="halo" d="${found}"/><path class="outline" d="${found}"><title>${name}, prediction</title></path>`;
    return { area, path: html`<g class="c${colorOf(i)}">${wanted && filled}${found && lines}</g>` };
  });
  const paths = drawn.sort((a, b) => b.area - a.area).map(({ path }) => path); // small ones on top
  return html`<svg class="overlay" viewBox="0 0 ${2 * columns} ${2 * rows}" preserveAspectRatio="none" aria-hidden="true">${paths}</svg>`;
}

function colorOf(region: number): number {
  return COLORS[region % COLORS.length]!;
}

/** Of each axis the slice with most foreground of the reference, or of the prediction where the reference is empty. */
function fullestSlices(shape: Triple, reference: ArrayLike<number>, prediction: ArrayLike<number>): Triple {
  return slicesOf(shape, reference) ?? slicesOf(shape, prediction) ?? middle(shape);
}

function middle(shape: Triple): Triple {
  return [Math.floor(shape[0] / 2), Math.floor(shape[1] / 2), Math.floor(shape[2] / 2)];
}

function slicesOf(shape: Triple, labels: ArrayLike<number>): Triple | undefined {
  const counts = shape.map((size) => new Float64Array(size));
  let at = 0;
  for (let z = 0; z < shape[0]; z++)
    for (let y = 0; y < shape[1]; y++)
      for (let x = 0; x < shape[2]; x++, at++) {
        if (!(labels[at]! > 0)) continue;
        counts[0]![z]!++;
        counts[1]![y]!++;
        counts[2]![x]!++;
      }
  const fullest = counts.map((axis) => axis.indexOf(axis.reduce((a, b) => Math.max(a, b))));
  const empty = counts[0]!.every((n) => n === 0);
  return empty ? undefined : (fullest as unknown as Triple);
}
