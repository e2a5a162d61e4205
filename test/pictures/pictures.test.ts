import { PNG } from "pngjs";
import { makeAxis, shortNumber, wholeAxis } from "../../lib/pictures/axes";
import { Canvas, textWidth } from "../../lib/pictures/canvas";
import { glyph } from "../../lib/pictures/font";
import { type ProgressPoint, renderProgress } from "../../lib/pictures/progress";
import { greyWindow, renderVolumes, type VolumeOptions, visibleVoxels } from "../../lib/pictures/volume";

const decode = (png: Buffer) => {
  const { width, height, data } = PNG.sync.read(png);
  const at = (x: number, y: number) =>
    Array.from(data.subarray((y * width + x) * 4, (y * width + x) * 4 + 3));
  /** Box around all pixels that pass, or undefined. */
  const find = (passes: (rgb: number[]) => boolean, from = 0, to = height) => {
    let box: { left: number; top: number; right: number; bottom: number; count: number } | undefined;
    for (let y = from; y < to; y++) {
      for (let x = 0; x < width; x++) {
        if (!passes(at(x, y))) continue;
        box ??= { left: x, top: y, right: x, bottom: y, count: 0 };
        box.left = Math.min(box.left, x);
        box.right = Math.max(box.right, x);
        box.bottom = y;
        box.count++;
      }
    }
    return box;
  };
  return { width, height, at, find };
};
const is = (r: number, g: number, b: number) => (rgb: number[]) =>
  Math.abs(rgb[0]! - r) + Math.abs(rgb[1]! - g) + Math.abs(rgb[2]! - b) < 12;

describe("canvas and font", () => {
  test("every printable character of labels has its own glyph", () => {
    const characters = [
      ..."ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789.,:-+=/()[]%_<>*'\"#!?&|~×·²³°±",
    ];
    const shapes = characters.map((c) => JSON.stringify(glyph(c).pixels));
    const repeated = characters.filter((_, i) => shapes.indexOf(shapes[i]!) !== i);
    expect(repeated).toEqual([]);
    expect(shapes).not.toContain(JSON.stringify(glyph("\u4e00").pixels)); // the box of unknown ones
    expect(textWidth("")).toBe(0);
    expect(textWidth("1 1", 3)).toBe(3 * (3 + 1 + 3 + 1 + 3));
  });

  test("text lies where it was put, aligned, vertical too", () => {
    const canvas = new Canvas(100, 100);
    canvas.text("HHH", 50, 20, { align: "center", color: [255, 0, 0] });
    canvas.text("HHH", 10.4, 50.4, { align: "center", vertical: true, color: [0, 0, 255] });
    const { find } = decode(canvas.toPng());
    expect(find(is(255, 0, 0))).toMatchObject({ left: 33, right: 66, top: 20, bottom: 33 });
    expect(find(is(0, 0, 255))).toMatchObject({ left: 10, right: 23, top: 34, bottom: 67 });
  });

  test("drawing beyond the edges is cut off, and the PNG keeps every pixel", () => {
    const canvas = new Canvas(20, 10, [10, 20, 30]);
    canvas.rect(-5, -5, 8, 8, [200, 0, 0]);
    canvas.disc([30, 5], 5, [0, 200, 0]);
    canvas.polyline(
      [
        [-100, 9],
        [100, 9],
      ],
      [0, 0, 200],
      1,
    );
    const { at, width, height } = decode(canvas.toPng());
    expect([width, height]).toEqual([20, 10]);
    expect(at(2, 2)).toEqual([200, 0, 0]);
    expect(at(3, 3)).toEqual([10, 20, 30]);
    expect(at(19, 9)).toEqual([0, 0, 200]);
    expect(() => new Canvas(0, 5)).toThrow("A picture has 1 to 16384 pixels a side, found 0 × 5.");
  });
});

describe("axes", () => {
  test.each<[number[], number[]]>([
    [
      [0.31, 1.17],
      [0.2, 0.4, 0.6, 0.8, 1, 1.2],
    ],
    [
      [0, 0.01],
      [0, 0.002, 0.004, 0.006, 0.008, 0.01],
    ],
    [
      [5, 5],
      [5, 6],
    ],
    [[], [0, 0.2, 0.4, 0.6, 0.8, 1]],
    [
      [-3, 9],
      [-4, -2, 0, 2, 4, 6, 8, 10],
    ],
  ])("%p gets the ticks %p", (values, ticks) => {
    const axis = makeAxis(values);
    expect(axis.ticks).toEqual(ticks);
    expect([axis.place(axis.low), axis.place(axis.high)]).toEqual([0, 1]);
    expect(axis.logarithmic).toBe(false);
  });

  test("values over more than a decade and a half get a logarithmic axis that holds them", () => {
    for (const [low, high] of [
      [0.03, 2.1],
      [1e-6, 1e6],
      [1, 21],
      [0.999, 1000.1],
    ] as const) {
      const axis = makeAxis([low, high]);
      expect(axis.logarithmic).toBe(true);
      expect(axis.place(low)).toBeGreaterThanOrEqual(-0.001);
      expect(axis.place(high)).toBeLessThanOrEqual(1.001);
      expect(axis.ticks.length).toBeGreaterThan(3);
      expect(axis.ticks.length).toBeLessThan(16);
    }
    expect(makeAxis([0, 100]).logarithmic).toBe(false);
  });

  test("steps are whole", () => {
    expect(wholeAxis(0, 3).ticks).toEqual([0, 1, 2, 3]);
    expect(wholeAxis(0, 250000).ticks.map(shortNumber)).toEqual(["0", "50k", "100k", "150k", "200k", "250k"]);
  });

  test.each([
    [0, "0"],
    [0.30000000000000004, "0.3"],
    [1234.5, "1235"],
    [250000, "250k"],
    [1.5e6, "1.5M"],
    [2e-5, "2e-5"],
    [-0.05, "-0.05"],
  ])("%p is written %p", (value, text) => expect(shortNumber(value)).toBe(text));
});

describe("progress", () => {
  const falling: ProgressPoint[] = Array.from({ length: 100 }, (_, i) => ({
    step: i + 1,
    loss: 1 - i / 200,
    learningRate: 0.01 * (1 - i / 100),
    validationLoss: i % 20 === 0 ? 0.8 - i / 400 : undefined,
  }));

  test("curves lie in their panels and fall; the baseline is dashed at its height", () => {
    const { find, width, height, at } = decode(renderProgress(falling, { baseline: 1, steps: 200 }));
    expect([width, height]).toEqual([1200, 760]);
    const train = find(is(31, 98, 190), 92, 500)!;
    expect(train.left).toBeGreaterThan(110);
    expect(train.right).toBeLessThan(116 + 1044 / 2 + 4); // step 100 of 200
    expect(train.bottom).toBeGreaterThan(train.top + 200);
    expect(find(is(214, 96, 20), 92, 500)!.count).toBeGreaterThan(200);
    expect(find(is(46, 139, 87), 520, 720)).toBeDefined();
    const dashes = Array.from({ length: 1000 }, (_, i) => is(120, 124, 132)(at(130 + i, 92)));
    expect(dashes.filter(Boolean).length).toBeGreaterThan(400);
    expect(dashes.filter((d) => !d).length).toBeGreaterThan(200);
  });

  test("holes, non-finite values, one point, none: a picture all the same", () => {
    const odd: ProgressPoint[] = [
      { step: 1, loss: Number.NaN },
      { step: 2, loss: null, learningRate: 0 },
      { step: 3, loss: Number.POSITIVE_INFINITY, validationLoss: -5 },
    ];
    for (const points of [[], falling.slice(0, 1), odd, [...falling, ...odd]]) {
      expect(decode(renderProgress(points, { title: "héad 頭" })).width).toBe(1200);
    }
  });

  test("a whole run of 250 000 steps is drawn in a few seconds", () => {
    const points = Array.from({ length: 250_000 }, (_, i) => ({
      step: i,
      loss: 1 / (1 + i / 1000),
      learningRate: 0.01,
    }));
    const started = Date.now();
    renderProgress(points);
    expect(Date.now() - started).toBeLessThan(20000);
  });
});

describe("volumes", () => {
  const shape = [20, 24, 28] as const;
  const voxels = shape[0] * shape[1] * shape[2];
  const index = (z: number, y: number, x: number) => (z * shape[1] + y) * shape[2] + x;
  const options: VolumeOptions = { shape, window: [0, 1], cell: 280 };
  const white = is(255, 255, 255);

  /** White box at the superior, anterior, right of a RAS+ volume, crossing the centre planes one at a time. */
  const marked = (z: number, y: number, x: number) => {
    const data = new Float32Array(voxels);
    for (const [dz, dy, dx] of [
      [0, 0, 0],
      [1, 0, 0],
      [0, 1, 0],
      [0, 0, 1],
    ] as const)
      data[index(z + dz, y + dy, x + dx)] = 1;
    return data;
  };

  test("anterior and superior are up, right is on the left", () => {
    const left = 34;
    const scale = 10;
    const top = 40;
    const axialHeight = 240;
    // In the axial centre plane (z = 10): y = 20 (anterior), x = 25 (right).
    let found = decode(renderVolumes([{ label: "", data: marked(10, 20, 25) }], options)).find(
      white,
      top,
      top + axialHeight,
    )!;
    expect(found.right).toBeLessThan(left + 4 * scale);
    expect(found.bottom).toBeLessThan(top + 4 * scale + 5);
    // In the coronal centre plane (y = 12): z = 17 (superior), x = 2 (left).
    const coronal = top + axialHeight + 10;
    found = decode(renderVolumes([{ label: "", data: marked(17, 12, 2) }], options)).find(
      white,
      coronal,
      coronal + 200,
    )!;
    expect(found.left).toBeGreaterThan(left + 23 * scale);
    expect(found.bottom).toBeLessThan(coronal + 4 * scale);
    // In the sagittal centre plane (x = 14): z = 2 (inferior), y = 1 (posterior): right and low.
    const sagittal = coronal + 200 + 10;
    found = decode(renderVolumes([{ label: "", data: marked(2, 1, 14) }], options)).find(
      white,
      sagittal,
      sagittal + 200,
    )!;
    expect(found.left).toBeGreaterThan(left + 20 + 20 * scale);
    expect(found.top).toBeGreaterThan(sagittal + 15 * scale);
  });

  test("the same head stored along other axes gives the same picture", () => {
    const data = Float32Array.from({ length: voxels }, (_, i) => ((i * 2654435761) % 97) / 97);
    // [x reversed][z][y reversed]: directions L, S, P.
    const turned = new Float32Array(voxels);
    for (let z = 0; z < shape[0]; z++) {
      for (let y = 0; y < shape[1]; y++) {
        for (let x = 0; x < shape[2]; x++) {
          turned[((shape[2] - 1 - x) * shape[0] + z) * shape[1] + (shape[1] - 1 - y)] = data[index(z, y, x)]!;
        }
      }
    }
    const spacing = [2, 1, 1.5] as const;
    const one = renderVolumes([{ label: "a", data }], { ...options, spacing, at: [7, 5, 20] });
    const two = renderVolumes([{ label: "a", data: turned }], {
      ...options,
      shape: [28, 20, 24],
      spacing: [1.5, 2, 1],
      directions: ["L", "S", "P"],
      at: [7, 7, 18],
    });
    expect(decode(two).width).toBe(decode(one).width);
    expect(two.equals(one)).toBe(true);
  });

  test("anisotropic voxels keep their proportions", () => {
    const full = new Float32Array(voxels).fill(1);
    const { find } = decode(renderVolumes([{ label: "", data: full }], { ...options, spacing: [5, 1, 1] }));
    // 100 × 24 × 28 mm in a cell of 280 pixels: 2.8 pixels a mm. The axial plane is 28 × 24 mm.
    expect(find(white, 40, 40 + 67)).toMatchObject({ left: 34, right: 34 + 77, top: 40, bottom: 40 + 66 });
    expect(find(white, 40 + 67 + 10, 40 + 67 + 10 + 280)).toMatchObject({ left: 34, right: 34 + 77 });
  });

  test("masked voxels have the mask's colour, broken ones are red, columns stand side by side", () => {
    const data = new Float32Array(voxels).fill(0.5);
    const visible = visibleVoxels([0, 1, 1, 1, 1, 1, 1, 1], [2, 2, 2], shape);
    const broken = data.slice();
    broken[index(10, 12, 14)] = Number.NaN;
    const { find, width } = decode(
      renderVolumes(
        [
          { label: "input", data },
          { label: "masked", data, visible },
          { label: "broken", data: broken },
        ],
        { ...options, at: [0, 0, 0] },
      ),
    );
    expect(width).toBe(34 + 3 * 290 + 10);
    expect(find(is(52, 66, 92))!.left).toBeGreaterThan(34 + 290);
    expect(find(is(52, 66, 92))!.right).toBeLessThan(34 + 580);
    const red = decode(renderVolumes([{ label: "broken", data: broken }], options)).find(is(230, 30, 60));
    expect(red!.count).toBeGreaterThan(100);
  });

  test("the grey window ignores a few extreme voxels and survives constants and NaN", () => {
    const data = Float32Array.from({ length: 100000 }, (_, i) => i / 100000);
    data[5] = 1e9;
    data[6] = Number.NaN;
    const [low, high] = greyWindow(data);
    expect(low).toBeCloseTo(0.005, 3);
    expect(high).toBeCloseTo(0.995, 3);
    expect(greyWindow([3, 3, 3])).toEqual([3, 4]);
    expect(greyWindow([Number.NaN])).toEqual([0, 1]);
  });

  test("block masks become voxel masks in C order", () => {
    const visible = visibleVoxels([1, 0, 0, 1], [1, 2, 2], [1, 2, 4]);
    expect(Array.from(visible)).toEqual([1, 1, 0, 0, 0, 0, 1, 1]);
    expect(() => visibleVoxels([1, 0], [1, 1, 2], [1, 1, 3])).toThrow("does not fit a patch of [1, 1, 3]");
  });

  test.each<[string, VolumeOptions, number, string]>([
    ["wrong length", options, 5, "a has 5 voxels, the shape [20, 24, 28] has 13440."],
    [
      "two axes alike",
      { ...options, directions: ["S", "I", "R"] },
      voxels,
      "must name three different axes, found SIR.",
    ],
    [
      "a plane outside",
      { ...options, at: [20, 0, 0] },
      voxels,
      "The planes' voxel [20, 0, 0] lies outside [20, 24, 28].",
    ],
  ])("refuses %s", (_, given, length, expected) => {
    expect(() => renderVolumes([{ label: "a", data: new Float32Array(length) }], given)).toThrow(expected);
  });
});
