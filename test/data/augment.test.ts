import { readFileSync } from "node:fs";
import { join } from "node:path";
import {
  type AugmentationOptions,
  augmentedPatch,
  drawAugmentation,
  mirror,
  type PatchPlace,
} from "../../lib/data/augment";
import { StoredCase } from "../../lib/data/case-store";
import { madeCase } from "./made-case";
import { temporaryFolder } from "./temp";

const folder = temporaryFolder();
type Triple = [number, number, number];
interface Golden {
  patch: Triple;
  box: Triple;
  angles: Triple;
  scale: number;
  fill: number;
  volume: number[];
  values: number[];
}
const golden: Golden[] = JSON.parse(readFileSync(join(__dirname, "../golden/augment.json"), "utf8"));
const as = { interpolation: "cubic", padding: "minimum" } as const;
const straight = [false, false, false] as const;

const options: AugmentationOptions = {
  rotation: { probability: 0.2, degrees: 30 },
  scaling: { probability: 0.2, range: [0.7, 1.4] },
  mirroring: { probability: 0.5, axes: [0, 1, 2] },
  interpolation: "cubic",
};

async function stored(
  id: string,
  data: ArrayLike<number>,
  shape: Triple,
  minimum: number,
): Promise<StoredCase> {
  await madeCase(folder, id, Float32Array.from(data), shape, minimum);
  return StoredCase.open(folder, id);
}

test.each(golden.map((g, i) => [i, g] as const))(
  "rotation and scaling are scipy's: case %i",
  async (i, g) => {
    const data = await stored(`golden${i}`, g.volume, g.box, g.fill);
    const drawn = { angles: g.angles, scale: g.scale, mirrored: straight };
    const patch = await augmentedPatch(data, { start: [0, 0, 0], box: g.box, patch: g.patch }, drawn, as);
    const worst = Math.max(...patch.map((v, k) => Math.abs(v - g.values[k]!)));
    expect(worst).toBeLessThan(5e-6);
  },
);

test("a part of a large box gives what the whole box would", async () => {
  const shape: Triple = [60, 60, 60];
  const volume = Float32Array.from({ length: 60 ** 3 }, (_, i) => ((i * 7919) % 1009) / 500 - 1);
  const data = await stored("large", volume, shape, -1);
  const drawn = { angles: [0.1, -0.05, 0.08] as Triple, scale: 1, mirrored: straight };
  const patch: Triple = [8, 8, 8];
  const near = await augmentedPatch(data, { start: [0, 0, 0], box: shape, patch }, drawn, as);
  // The box's middle moved by 2 voxels and back: other chunks and other borders of the part that is read
  const moved = await augmentedPatch(data, { start: [-2, 0, 0], box: [64, 60, 60], patch }, drawn, as);
  expect(Math.max(...near.map((v, i) => Math.abs(v - moved[i]!)))).toBeLessThan(2e-6);
});

test("without rotation and scaling the centre of the box is cut out, voxel for voxel", async () => {
  const shape: Triple = [12, 12, 12];
  const data = await stored(
    "plain",
    Array.from({ length: 1728 }, (_, i) => i),
    shape,
    0,
  );
  const drawn = { scale: 1, mirrored: [false, false, true] as const };
  const place: PatchPlace = { start: [1, 0, 0], box: [10, 11, 12], patch: [4, 4, 4] };
  const patch = await augmentedPatch(data, place, drawn, as);
  // start + ⌊(Q − P)/2⌋ = (4, 3, 4); x runs backwards
  expect(patch[0]).toBe(4 * 144 + 3 * 12 + 7);
  expect(patch[63]).toBe(7 * 144 + 6 * 12 + 4);
});

test("draws follow the probabilities, ranges and axes", () => {
  const draws = Array.from({ length: 4000 }, (_, step) =>
    drawAugmentation(options, [32, 32, 32], 1, step, 0),
  );
  const rotated = draws.filter((d) => d.angles);
  const scaled = draws.filter((d) => d.scale !== 1);
  expect(Math.abs(rotated.length / 4000 - 0.2)).toBeLessThan(0.03);
  expect(Math.abs(scaled.length / 4000 - 0.2)).toBeLessThan(0.03);
  expect(Math.abs(scaled.filter((d) => d.scale < 1).length / scaled.length - 0.5)).toBeLessThan(0.08);
  expect(Math.max(...rotated.flatMap((d) => d.angles!.map(Math.abs)))).toBeLessThanOrEqual(Math.PI / 6);
  expect(Math.max(...rotated.flatMap((d) => d.angles!))).toBeGreaterThan(0.5);
  expect(scaled.every((d) => d.scale >= 0.7 && d.scale < 1.4)).toBe(true);
  for (const axis of [0, 1, 2]) {
    expect(Math.abs(draws.filter((d) => d.mirrored[axis]).length / 4000 - 0.5)).toBeLessThan(0.04);
  }
  const onlyX = { ...options, mirroring: { probability: 1, axes: [2] } };
  expect(drawAugmentation(onlyX, [32, 32, 32], 1, 0, 0).mirrored).toEqual([false, false, true]);
});

test("flat patches turn within their slices, by any angle", () => {
  const all = { ...options, rotation: { probability: 1, degrees: 30 } };
  const angles = Array.from({ length: 200 }, (_, i) => drawAugmentation(all, [8, 64, 64], 1, i, 0).angles!);
  expect(angles.every(([, b, c]) => b === 0 && c === 0)).toBe(true);
  expect(Math.max(...angles.map(([a]) => a))).toBeGreaterThan(3);
});

test("mirroring twice is nothing, once reverses the axis", () => {
  const data = Float32Array.from({ length: 48 }, (_, i) => i);
  const copy = data.slice();
  mirror(copy, [2, 3, 4], [true, false, true]);
  expect(copy[0]).toBe(12 + 3);
  expect(copy[24]).toBe(24 + 15); // second channel
  mirror(copy, [2, 3, 4], [true, false, true]);
  expect(copy).toEqual(data);
});
