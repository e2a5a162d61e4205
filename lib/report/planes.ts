/** Volumes beside each other in three planes, as a grid of pictures with real text around them. */
import {
  greyWindow,
  type Plane,
  type PlaneOptions,
  planesOf,
  renderPlane,
  type VolumeColumn,
} from "../pictures/planes";
import { html, type Markup, pngUri } from "./html";

const CELL = 300; // pixels of the longest side

/** One row a plane, one column a volume; every column has the grey window of the first. */
export function volumeGrid(columns: readonly VolumeColumn[], options: PlaneOptions, caption: string): Markup {
  const window = options.window ?? greyWindow(columns[0]!.data);
  const planes = planesOf(options.directions ?? ["S", "A", "R"]);
  const rows = planes.map((plane) => [
    html`<span class="row">${plane.name}</span>`,
    ...columns.map((column, i) => {
      const png = renderPlane(column, plane, options, window, CELL);
      return planePicture(plane, png, `${column.label}, ${plane.name}`, { letters: i === 0 });
    }),
  ]);
  return planeGrid(
    columns.map(({ label }) => label),
    rows,
    caption,
  );
}

/** The dark grid around pictures of planes: a heading a column; rows that are one longer begin with a name. */
export function planeGrid(
  heads: readonly string[],
  rows: readonly Markup[][],
  caption: string | Markup,
): Markup {
  const named = rows[0]!.length > heads.length;
  const columns = `${named ? "18px " : ""}repeat(${heads.length},minmax(0,1fr))`;
  const head = [...(named ? [""] : []), ...heads].map((text) => html`<span>${text}</span>`);
  return html`<figure><figcaption>${caption}</figcaption><div class="planes" style="grid-template-columns:${columns}">${head}${rows}</div></figure>`;
}

/** A picture of a plane with the sides of the body written on it, and drawings over it. */
export function planePicture(
  { sides }: Plane,
  png: Uint8Array,
  description: string,
  { letters, over }: { letters: boolean; over?: Markup },
): Markup {
  const marks = letters && html`<i class="left">${sides[0]}</i><i class="top">${sides[1]}</i>`;
  return html`<div class="plane"><div><img src="${pngUri(png)}" alt="${description}">${over}${marks}</div></div>`;
}
