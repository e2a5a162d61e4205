import { readFileSync } from "node:fs";
import { join } from "node:path";
import { ANNOTATED, foregroundLocations, requireLabels, resampledLabels } from "../../lib/data/label-map";
import { resampledShape } from "../../lib/data/preprocess-steps";
import type { LabelScheme } from "../../lib/labels";
import { rng } from "../../lib/random";
import { failure } from "./temp";

type Triple = [number, number, number];
const seed = Date.now();
const classes: LabelScheme = { labels: { background: 0, a: 1, b: 2, c: 3 } };
const regions: LabelScheme = {
  labels: { background: 0, whole: [1, 2, 3], core: [2, 3], ignore: 4 },
  regionsClassOrder: [1, 2],
};

/** Random labels below `count`; label k + 1 is drawn ten times as often as label k. */
function drawn(voxels: number, count: number): Float32Array {
  const random = rng(seed, 0, "test");
  return Float32Array.from({ length: voxels }, () =>
    Math.min(count - 1, Math.floor(-Math.log10(1 - random.uniform()))),
  ).map((label) => count - 1 - label);
}

describe("labels that the scheme does not have", () => {
  const check = (values: number[]) => requireLabels(Float32Array.from(values), classes, "x.nii");
  test("are named with their voxels, all at once", async () => {
    const { code, message } = await failure(() => check([0, 3, 4, 4, -1, 1.00001, Number.NaN, 2]));
    expect(code).toBe("ERR_VOXELSPARK_DATA");
    expect(message).toMatch(/^x.nii .*4 \(2 voxels\)/);
    for (const part of ["-1 (1 voxels)", "1.0000", "NaN (1 voxels)", "from 0 to 3"])
      expect(message).toContain(part);
  });
  test("others pass, the ignore label too", () => {
    expect(() => check([0, 1, 2, 3, -0])).not.toThrow();
    expect(() => requireLabels(Float32Array.of(4), regions, "x.nii")).not.toThrow();
    expect(() => requireLabels(Float32Array.of(5), regions, "x.nii")).toThrow(/5 \(1 voxels\)/);
  });
  test("are cut short where there are many", async () => {
    const { message } = await failure(() => check(Array.from({ length: 500 }, (_, i) => i + 0.5)));
    expect(message).toContain("and 490 other values");
  });
});

interface Golden {
  shape: Triple;
  spacing: Triple;
  size: Triple;
  labels: string;
  out: string;
}
const golden: Golden[] = JSON.parse(readFileSync(join(__dirname, "../golden/labels.json"), "utf8"));

test.each(golden)("resampled like nnU-Net: $shape to $size", ({ shape, spacing, size, labels, out }) => {
  const data = Float32Array.from(labels, Number);
  const result = resampledLabels(data, shape, spacing, [1, 1, 1], { anisotropyThreshold: 3 });
  expect(resampledShape(shape, spacing, [1, 1, 1])).toEqual(size);
  const sure = (text: string) => [...text].map((digit, i) => (out[i] === "?" ? "?" : digit)).join("");
  expect(sure([...result].join(""))).toBe(out);
  expect(out.split("?").length - 1).toBeLessThan(0.01 * out.length);
});

describe("foreground locations", () => {
  const setOf = (data: Float32Array, labels: readonly number[]) =>
    [...data.keys()].filter((i) => labels.includes(data[i]!));

  test("are all voxels of a class up to 10 000, then a random part", () => {
    const data = drawn(60_000, 4);
    const { table, locations } = foregroundLocations(data, classes);
    expect(table.map(({ name, labels }) => [name, ...labels])).toEqual([
      ["a", 1],
      ["b", 2],
      ["c", 3],
    ]);
    let first = 0;
    for (const { labels, voxels, kept } of table) {
      const all = setOf(data, labels);
      expect([voxels, kept]).toEqual([all.length, Math.min(10_000, all.length)]);
      const places = [...locations.subarray(first, first + kept)];
      first += kept;
      if (kept === voxels) expect(places).toEqual(all);
      else {
        const among = new Set(all);
        expect(new Set(places).size).toBe(kept);
        expect(places.every((place) => among.has(place))).toBe(true);
        // Spread over the whole set: the mean rank of 10 000 of them strays by 0.3 % of it.
        const mean = places.reduce((a, b) => a + b, 0) / kept;
        expect(Math.abs(mean / data.length - 0.5)).toBeLessThan(0.02);
      }
    }
    expect(first).toBe(locations.length);
    expect(foregroundLocations(data, classes)).toEqual({ table, locations });
  });

  test("keep 1 % of a class of more than a million voxels", () => {
    const { table } = foregroundLocations(new Float32Array(1_100_050).fill(2), classes);
    expect(table.map(({ kept }) => kept)).toEqual([0, 11_001, 0]);
  });

  test("of overlapping regions are kept for each; without the ignore label for all that is annotated", () => {
    const data = drawn(3000, 5);
    const { table, locations } = foregroundLocations(data, regions);
    expect(table.map(({ name }) => name)).toEqual(["whole", "core", ANNOTATED]);
    expect([...locations]).toEqual([
      ...setOf(data, [1, 2, 3]),
      ...setOf(data, [2, 3]),
      ...setOf(data, [0, 1, 2, 3]),
    ]);
  });
});
