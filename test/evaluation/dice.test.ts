import {
  evaluateCase,
  full,
  labelCounts,
  overlapMetrics,
  type Region,
  regionKey,
  sortedJson,
  summarize,
  surfaceDice,
  tensor,
} from "../../lib";
import { launch } from "../../lib/launch";
import { regionAttributes } from "../../lib/ops/regions";
import { rng } from "../../lib/random";

type Triple = [number, number, number];

/** By definition, from sets of voxels. */
function byDefinition(p: number[], r: number[], region: Region, ignore: number | undefined) {
  const labels = new Set(typeof region === "number" ? [region] : region);
  const counted = p.map((_, i) => i).filter((i) => r[i] !== ignore);
  const [a, b] = [p, r].map((v) => new Set(counted.filter((i) => labels.has(v[i]!)))) as [
    Set<number>,
    Set<number>,
  ];
  const both = [...a].filter((i) => b.has(i)).length;
  const either = new Set([...a, ...b]).size;
  return {
    Dice: either === 0 ? null : (2 * both) / (a.size + b.size),
    FN: b.size - both,
    FP: a.size - both,
    IoU: either === 0 ? null : both / either,
    TN: counted.length - either,
    TP: both,
    n_pred: a.size,
    n_ref: b.size,
  };
}

test("1,000 random label pairs: every metric equals the definition exactly", async () => {
  const random = rng(Math.floor(Math.random() * 1e9), 0, "test", 0);
  let empty = 0;
  for (let i = 0; i < 1000; i++) {
    const size = [1 + random.int(5), 1 + random.int(5), 1 + random.int(5)] as Triple;
    const [most, shape] = [1 + random.int(4), [1, 1, ...size]];
    const draw = () => Array.from({ length: size[0] * size[1] * size[2] }, () => random.int(most + 1));
    const [p, r] = [draw(), draw()];
    const regions: Region[] = [1, 2, [1, 2], [3, 1]];
    const ignore = random.int(2) ? 4 : undefined;
    using prediction = tensor(p, shape);
    using reference = tensor(r, shape);
    const found = await evaluateCase(prediction, reference, { regions, ignore });
    const wanted = Object.fromEntries(
      regions.map((region) => [regionKey(region), byDefinition(p, r, region, ignore)]),
    );
    expect(found).toEqual(wanted);
    empty += Object.values(found).filter((m) => m.Dice === null).length;
  }
  expect(empty).toBeGreaterThan(100); // the rule for empty regions was exercised
});

test("counts beyond float32's whole numbers are exact", async () => {
  const shape = [1, 1, 256, 256, 257]; // more than 2^24 voxels
  using ones = full(shape, 1);
  using twos = full(shape, 2);
  const n = 256 * 256 * 257;
  const [one, two, both] = await labelCounts(ones, twos, [1, 2, [1, 2]]);
  expect(one).toEqual({ TP: 0, FP: n, FN: 0, TN: 0 });
  expect(two).toEqual({ TP: 0, FP: 0, FN: n, TN: 0 });
  expect(both).toEqual({ TP: n, FP: 0, FN: 0, TN: 0 });
});

test("voxels that hold no label are an error that says how many", async () => {
  using good = tensor([0, 1, 2, 3], [1, 1, 1, 2, 2]);
  for (const bad of [
    [0, 1.00001, 2, 3],
    [0, -1, 2, 3],
    [0, 65536, 2, 3],
    [0, Number.NaN, 2, 3],
  ]) {
    using wrong = tensor(bad, [1, 1, 1, 2, 2]);
    await expect(labelCounts(wrong, good, [1])).rejects.toThrow(/^1 voxels of the prediction are no labels/);
    await expect(labelCounts(good, wrong, [1])).rejects.toThrow(/^1 voxels of the reference are no labels/);
    await expect(labelCounts(wrong, good, [1], 1)).rejects.toThrow(/^1 voxels of the prediction/); // even ignored
  }
});

test.each<[string, Region[], number | undefined, RegExp]>([
  ["no regions", [], undefined, /0 regions/],
  ["the background", [0, 1], undefined, /label 0 is the background/],
  ["a region given twice", [1, [1, 2], 1], undefined, /regions 1 are given twice/],
  ["the ignore label", [[1, 3]], 3, /label 3 is ignored/],
])("refuses %s", async (_, regions, ignore, message) => {
  using x = tensor([0, 1], [1, 1, 1, 1, 2]);
  await expect(evaluateCase(x, x, { regions, ignore })).rejects.toThrow(message);
});

describe("surface Dice", () => {
  const size = [12, 12, 12] as Triple;
  /** Labels of a box from `begin` up to `end`. */
  const box = (begin: Triple, end: Triple, label = 1) => {
    const data = new Float32Array(12 ** 3);
    for (let z = begin[0]; z < end[0]; z++)
      for (let y = begin[1]; y < end[1]; y++)
        for (let x = begin[2]; x < end[2]; x++) data[(z * 12 + y) * 12 + x] = label;
    return tensor(data, [1, 1, ...size]);
  };
  const nsd = async (
    a: ReturnType<typeof box>,
    b: typeof a,
    tolerance: number,
    spacing: Triple = [1, 1, 1],
  ) => (await surfaceDice(a, b, [1], { tolerance, spacing }))[0];

  test("areas of a box: faces, bevelled edges and corners, in mm²", async () => {
    using a = box([2, 3, 4], [5, 8, 11]); // 3 × 5 × 7 voxels
    const spacing: Triple = [3, 0.5, 2];
    const attributes = { ...regionAttributes([1], undefined), spacing, tolerance: 0 };
    using areas = launch("surface_dice", [a, a], attributes)[0]!;
    // Lengths of the flat parts, which end half a voxel before the outermost centres' neighbours.
    const [z, y, x] = [2 * 3, 4 * 0.5, 6 * 2] as const;
    const flat = 2 * (z * y + z * x + y * x);
    const edges = 4 * (z * Math.hypot(0.25, 1) + y * Math.hypot(1.5, 1) + x * Math.hypot(1.5, 0.25));
    const corner = Math.hypot(1.5 * 0.25, 1.5 * 1, 0.25 * 1) / 2;
    const [, total] = await areas.data();
    expect(total! / (flat + edges + 8 * corner)).toBeCloseTo(1, 6);
  });

  describe("surfels that lie in no plane have the areas of google-deepmind/surface-distance", () => {
    const areaOf = async (data: ArrayLike<number>, shape: Triple, spacing: Triple = [1, 1, 1]) => {
      using labels = tensor(Float32Array.from(data), [1, 1, ...shape]);
      const attributes = { ...regionAttributes([1], undefined), spacing, tolerance: 0 };
      using areas = launch("surface_dice", [labels, labels], attributes)[0]!;
      return (await areas.data())[1]!;
    };
    /** Area of triangles whose normals are given for cubic voxels. */
    const area = (normals: Triple[], [z, y, x]: Triple) =>
      normals.reduce((sum, n) => sum + Math.hypot(n[0] * y * x, n[1] * z * x, n[2] * z * y), 0);
    const corner: Triple[] = [[0.125, 0.125, 0.125]];
    const alongX: Triple[] = [
      [0.25, 0.25, 0],
      [0.25, 0.25, 0],
    ];
    const alongY: Triple[] = [
      [0.25, 0, 0.25],
      [0.25, 0, 0.25],
    ];
    const bend: Triple[] = [[0.5, 0, 0], [0.25, 0.25, 0.25], ...corner];

    test.each([[[1, 1, 1]], [[3, 0.5, 2]], [[1, 0.7, 0.7]]] as [Triple][])(
      "three voxels, spacing %p",
      async (s) => {
        // Seen from above: 2 corners where all three meet, 4 with two of them, 10 with one.
        const wanted = 2 * area(bend, s) + 2 * area(alongX, s) + 2 * area(alongY, s) + 10 * area(corner, s);
        expect((await areaOf([1, 1, 1, 0], [1, 2, 2], s)) / wanted).toBeCloseTo(1, 6);
      },
    );

    test("four voxels in a chain through all axes", async () => {
      const one = Math.sqrt(3) / 8;
      const [pair, three] = [Math.SQRT1_2, 0.5 + 3 * one];
      const chain = 0.5 * Math.SQRT2 + 4 * one; // [⅛ ⅛ ⅛], [⅜ ⅜ ⅜] and two of [0 ¼ ¼]
      const voxels = [1, 1, 0, 1, 1, 0, 0, 0];
      const at = (z: number, y: number, x: number) =>
        [z, y, x].every((v) => v === 0 || v === 1) ? voxels[4 * z + 2 * y + x]! : 0;
      let wanted = 0;
      for (let i = 0; i < 27; i++) {
        const [z, y, x] = [Math.floor(i / 9), Math.floor(i / 3) % 3, i % 3] as Triple;
        const inside = Array.from({ length: 8 }, (_, k) => k).filter((k) =>
          at(z - 1 + (k >> 2), y - 1 + ((k >> 1) & 1), x - 1 + (k & 1)),
        );
        const neighbours = [1, 2, 4].includes(inside[0]! ^ inside[1]!);
        wanted += [0, one, neighbours ? pair : 2 * one, three, chain][inside.length]!;
      }
      expect((await areaOf(voxels, [2, 2, 2])) / wanted).toBeCloseTo(1, 6);
    });

    test("two holes that share an edge are kept apart", async () => {
      const full = new Array<number>(216).fill(1);
      const whole = await areaOf(full, [6, 6, 6]);
      full[(2 * 6 + 2) * 6 + 2] = 0;
      full[(3 * 6 + 3) * 6 + 2] = 0;
      expect((await areaOf(full, [6, 6, 6])) - whole).toBeCloseTo(2 * Math.sqrt(3), 4);
    });
  });

  test("1 for equal regions, 0 for one missing, null for both, also at the volume's border", async () => {
    using a = box([2, 2, 2], [6, 7, 8]);
    using all = box([0, 0, 0], [12, 12, 12]);
    using none = box([0, 0, 0], [0, 0, 0]);
    for (const tolerance of [0, 1, 5]) {
      expect(await nsd(a, a, tolerance)).toBe(1);
      expect(await nsd(all, all, tolerance)).toBe(1);
      expect(await nsd(a, none, tolerance)).toBe(0);
      expect(await nsd(none, a, tolerance)).toBe(0);
      expect(await nsd(none, none, tolerance)).toBeNull();
    }
  });

  test("a shift along an axis is within the tolerance from its length in mm on", async () => {
    using a = box([2, 3, 3], [6, 8, 8]);
    using b = box([4, 3, 3], [8, 8, 8]);
    for (const spacing of [0.1, 0.7, 1.3] as const) {
      const at = (tolerance: number) => nsd(a, b, tolerance, [spacing, 1, 1]);
      expect(await at(2 * spacing)).toBe(1); // equal counts, whatever the rounding of 2 · 0.7
      const below = (await at(1.999 * spacing)) as number;
      expect(below).toBeLessThan(1);
      expect(below).toBeGreaterThan(0.2); // the sides overlap
      expect(await at(1.999 * Math.fround(spacing))).toBe(below);
    }
  });

  test("is symmetric and ignores what the reference ignores", async () => {
    using a = box([2, 3, 3], [6, 8, 8]);
    using b = box([3, 1, 4], [9, 8, 7]);
    expect(await nsd(a, b, 1)).toBe(await nsd(b, a, 1));
    const labels = new Float32Array(12 ** 3).fill(9); // everything ignored but half of the volume
    labels.fill(0, 0, 6 * 144);
    using reference = tensor(labels, [1, 1, ...size]);
    using clipped = box([2, 3, 3], [6, 8, 8]);
    const spacing: Triple = [1, 1, 1];
    expect(await surfaceDice(clipped, reference, [1], { tolerance: 1, spacing, ignore: 9 })).toEqual([0]);
    using outside = box([6, 3, 3], [9, 8, 8]);
    expect(await surfaceDice(outside, reference, [1], { tolerance: 1, spacing, ignore: 9 })).toEqual([null]);
  });
});

describe("summary", () => {
  const result = (
    file: string,
    TP: number,
    FP: number,
    FN: number,
    second = { TP: 1, FP: 1, FN: 0, TN: 6 },
  ) => ({
    metrics: { "1": overlapMetrics({ TP, FP, FN, TN: 10 }), "(1, 2)": overlapMetrics(second) },
    prediction_file: `p/${file}`,
    reference_file: `r/${file}`,
  });

  test("means run over the cases that have a value; the foreground mean over regions", () => {
    const { mean, foreground_mean } = summarize([
      result("a", 2, 0, 2),
      result("b", 0, 0, 0), // empty in both
      result("c", 0, 3, 0),
    ]);
    expect(mean["1"]).toEqual({
      Dice: (2 / 3 + 0) / 2,
      FN: 2 / 3,
      FP: 1,
      IoU: 0.25,
      TN: 10,
      TP: 2 / 3,
      n_pred: 5 / 3,
      n_ref: 4 / 3,
    });
    expect(foreground_mean.Dice).toBe((1 / 3 + 2 / 3) / 2);
  });

  test("a region that no case has is null, and so is the foreground mean; JSON holds no NaN", () => {
    const nothing = { TP: 0, FP: 0, FN: 0, TN: 8 };
    const summary = summarize([result("a", 0, 0, 0, nothing), result("b", 0, 0, 0, nothing)]);
    expect(summary.mean["1"]!.Dice).toBeNull();
    expect(summary.foreground_mean).toMatchObject({ Dice: null, IoU: null, TP: 0 });
    const text = sortedJson(summary);
    expect(text).not.toMatch(/NaN|Infinity/);
    expect(JSON.parse(text)).toEqual(JSON.parse(JSON.stringify(summary)));
  });

  test("JSON is Python's json.dump(sort_keys=True, indent=4)", () => {
    expect(sortedJson({ b: [1, null], "10": {}, "2": [], a: "é\n", "(1, 2)": 0.5, u: undefined })).toBe(
      '{\n    "(1, 2)": 0.5,\n    "10": {},\n    "2": [],\n    "a": "é\\n",\n    "b": [\n        1,\n        null\n    ]\n}',
    );
    for (const bad of [Number.NaN, Number.POSITIVE_INFINITY])
      expect(() => sortedJson({ a: [bad] })).toThrow(/allowed are finite numbers and null/);
  });

  test("refuses no case, a case twice and cases of other regions", () => {
    expect(() => summarize([])).toThrow(expect.objectContaining({ code: "ERR_VOXELSPARK_EMPTY" }));
    const cases = ["a", "b", "a", "c", "b", "a"].map((file) => result(file, 1, 1, 1));
    expect(() => summarize(cases)).toThrow(/found r\/a \(3 times\), r\/b \(2 times\)/);
    const { "1": only } = cases[0]!.metrics;
    expect(() => summarize([cases[3]!, { ...cases[0]!, metrics: { "1": only } }])).toThrow(
      /r\/a has the regions 1, the first case has 1; \(1, 2\)/,
    );
  });
});
