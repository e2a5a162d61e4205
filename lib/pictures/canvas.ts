/** An RGB picture with the few things that plots need: rectangles, smooth lines, text, grey images, PNG. */
import { PNG } from "pngjs";
import { ArgumentRangeError } from "../errors";
import { ASCENT, DESCENT, glyph, textColumns } from "./font";

/** Red, green, blue from 0 to 255. */
export type Color = readonly [number, number, number];
export type Point = readonly [x: number, y: number];

export interface TextStyle {
  color?: Color;
  /** Pixels of the picture a pixel of the font. */
  scale?: number;
  /** Which point of the text lies at x. */
  align?: "left" | "center" | "right";
  /** Read from bottom to top; x and y then swap their roles. */
  vertical?: boolean;
}

export class Canvas {
  private readonly rgb: Uint8Array;

  constructor(
    readonly width: number,
    readonly height: number,
    background: Color = [255, 255, 255],
  ) {
    if (![width, height].every((size) => Number.isInteger(size) && size >= 1 && size <= 16384)) {
      throw new ArgumentRangeError(`A picture has 1 to 16384 pixels a side, found ${width} × ${height}.`);
    }
    this.rgb = new Uint8Array(width * height * 3);
    this.rect(0, 0, width, height, background);
  }

  /** Mixes a colour into one pixel, whole coordinates; outside the picture nothing happens. */
  blend(x: number, y: number, color: Color, opacity = 1): void {
    if (x < 0 || y < 0 || x >= this.width || y >= this.height) return;
    const at = (y * this.width + x) * 3;
    for (let c = 0; c < 3; c++)
      this.rgb[at + c] = this.rgb[at + c]! * (1 - opacity) + color[c]! * opacity + 0.5;
  }

  pixel(x: number, y: number): Color {
    const at = (y * this.width + x) * 3;
    return [this.rgb[at]!, this.rgb[at + 1]!, this.rgb[at + 2]!];
  }

  rect(x: number, y: number, width: number, height: number, color: Color, opacity = 1): void {
    for (let row = y; row < y + height; row++) {
      for (let column = x; column < x + width; column++) this.blend(column, row, color, opacity);
    }
  }

  /** A smooth line through points; where it crosses itself it is not darker. */
  polyline(
    points: readonly Point[],
    color: Color,
    thickness = 1.5,
    dash?: readonly [on: number, off: number],
  ): void {
    const coverage = new Map<number, number>(); // pixel to the largest coverage of any segment
    let along = 0;
    for (let i = 0; i + 1 < points.length; i++) {
      this.segment(points[i]!, points[i + 1]!, thickness, along, dash, coverage);
      along += distance(points[i]!, points[i + 1]!);
    }
    for (const [at, opacity] of coverage) {
      this.blend(at % this.width, Math.floor(at / this.width), color, opacity);
    }
  }

  disc([cx, cy]: Point, radius: number, color: Color): void {
    for (let y = Math.floor(cy - radius - 1); y <= cy + radius + 1; y++) {
      for (let x = Math.floor(cx - radius - 1); x <= cx + radius + 1; x++) {
        const opacity = clamp(radius + 0.5 - distance([x, y], [cx, cy]));
        if (opacity > 0) this.blend(x, y, color, opacity);
      }
    }
  }

  /** One line of text; y is the top of its capitals. */
  text(text: string, x: number, y: number, style: TextStyle = {}): void {
    const { color = [40, 40, 40], scale = 2, align = "left", vertical = false } = style;
    const [left, top] = [Math.round(x), Math.round(y)];
    const length = textWidth(text, scale);
    const shift = align === "left" ? 0 : align === "center" ? length / 2 : length;
    let pen = -Math.round(shift);
    for (const character of text) {
      const { width, pixels } = glyph(character);
      for (const [column, row] of pixels) {
        const along = pen + column * scale;
        if (vertical) this.rect(left + row * scale, top - along - scale + 1, scale, scale, color);
        else this.rect(left + along, top + row * scale, scale, scale, color);
      }
      pen += (width + 1) * scale;
    }
  }

  toPng(): Buffer {
    const png = new PNG({
      width: this.width,
      height: this.height,
      colorType: 2,
      inputColorType: 2,
      inputHasAlpha: false,
    });
    png.data = Buffer.from(this.rgb.buffer);
    return PNG.sync.write(png, { colorType: 2, inputColorType: 2, inputHasAlpha: false });
  }

  private segment(
    a: Point,
    b: Point,
    thickness: number,
    along: number,
    dash: readonly [number, number] | undefined,
    coverage: Map<number, number>,
  ): void {
    const reach = thickness / 2 + 1;
    const [x0, x1] = range(a[0], b[0], reach, this.width);
    const [y0, y1] = range(a[1], b[1], reach, this.height);
    const length = distance(a, b) || 1e-9;
    const unit: Point = [(b[0] - a[0]) / length, (b[1] - a[1]) / length];
    for (let y = y0; y <= y1; y++) {
      for (let x = x0; x <= x1; x++) {
        const t = (x - a[0]) * unit[0] + (y - a[1]) * unit[1];
        if (dash !== undefined && (along + t) % (dash[0] + dash[1]) >= dash[0]) continue;
        const near = Math.max(0, Math.min(length, t));
        const opacity = clamp(
          thickness / 2 + 0.5 - distance([x, y], [a[0] + unit[0] * near, a[1] + unit[1] * near]),
        );
        const at = y * this.width + x;
        if (opacity > (coverage.get(at) ?? 0)) coverage.set(at, opacity);
      }
    }
  }
}

export function textWidth(text: string, scale = 2): number {
  return textColumns(text) * scale;
}

/** Height of a line of text from the top of its capitals to its deepest descender. */
export function textHeight(scale = 2): number {
  return (ASCENT + DESCENT) * scale;
}

function range(a: number, b: number, reach: number, size: number): [number, number] {
  return [
    Math.max(0, Math.floor(Math.min(a, b) - reach)),
    Math.min(size - 1, Math.ceil(Math.max(a, b) + reach)),
  ];
}

function distance(a: Point, b: Point): number {
  return Math.hypot(a[0] - b[0], a[1] - b[1]);
}

function clamp(value: number): number {
  return value < 0 ? 0 : Math.min(value, 1);
}
