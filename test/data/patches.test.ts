import fc from "fast-check";
import { StoredCase } from "../../lib/data/case-store";
import { CaseSet, enlargedPatch, isFlat, placeBox, readPadded } from "../../lib/data/patches";
import { type SampleOptions, trainingSample, validationSample } from "../../lib/data/samples";
import { rng } from "../../lib/random";
import golden from "../golden/enlarged_patch.json";
import { madeCase } from "./made-case";
import { failure, temporaryFolder } from "./temp";

const folder = temporaryFolder();
type Triple = [number, number, number];
const shape: Triple = [9, 14, 11];
/** Every voxel says where it is. */
const place = (z: number, y: number, x: number): number => z * 10000 + y * 100 + x;
const ramp = (): Float32Array => {
  const data: number[] = [];
  for (let z = 0; z < shape[0]; z++)
    for (let y = 0; y < shape[1]; y++) for (let x = 0; x < shape[2]; x++) data.push(place(z, y, x));
  return Float32Array.from(data);
};

beforeAll(async () => {
  await madeCase(folder, "ramp", ramp(), shape, -5);
  await madeCase(folder, "two", Float32Array.from([...ramp(), ...ramp().map((v) => v + 0.5)]), shape, -5);
});

/** test/golden/enlarged_patch.py */
const { boxes } = golden as { boxes: { patch: Triple; degrees: number; box: Triple }[] };

test.each(boxes)(
  "the box around $patch turned by $degrees degrees is upstream's",
  ({ patch, degrees, box }) => {
    expect(enlargedPatch(patch, degrees)).toEqual(box);
  },
);

test("a patch is flat when its longest side is more than three times its first", () => {
  expect(isFlat([20, 160, 160])).toBe(true);
  expect(isFlat([20, 60, 60])).toBe(false);
});

test("boxes start uniformly between their bounds, on every axis", () => {
  const seen = [new Set<number>(), new Set<number>(), new Set<number>()];
  for (let i = 0; i < 600; i++) {
    const start = placeBox([20, 6, 9], [12, 12, 9], [8, 8, 9], rng(0, i, "test"));
    for (const [axis, s] of start.entries()) seen[axis]!.add(s);
  }
  const sorted = seen.map((s) => [...s].sort((a, b) => a - b));
  expect(sorted[0]).toEqual([-2, -1, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10]); // −4/2 … 20 + 2 − 12
  expect(sorted[1]).toEqual([-3]); // 6 of 12: pad 6, −3 … 6 + 3 − 12
  expect(sorted[2]).toEqual([0]);
});

test("voxels outside of the case are the fill value, voxels inside are the case's", async () => {
  const stored = await StoredCase.open(folder, "two");
  const coordinate = fc.integer({ min: -20, max: 20 });
  const extent = fc.integer({ min: 1, max: 12 });
  await fc.assert(
    fc.asyncProperty(
      fc.tuple(coordinate, coordinate, coordinate),
      fc.tuple(extent, extent, extent),
      async (start, size) => {
        const data = await readPadded(stored, start, size, -5);
        let at = 0;
        for (const channel of [0, 1])
          for (let z = start[0]; z < start[0] + size[0]; z++)
            for (let y = start[1]; y < start[1] + size[1]; y++)
              for (let x = start[2]; x < start[2] + size[2]; x++) {
                const inside = z >= 0 && y >= 0 && x >= 0 && z < shape[0] && y < shape[1] && x < shape[2];
                if (data[at++] !== (inside ? place(z, y, x) + channel * 0.5 : -5))
                  throw new Error(`voxel ${z},${y},${x}`);
              }
        expect(data).toHaveLength(at);
      },
    ),
    { numRuns: 60 },
  );
});

describe("samples", () => {
  const options: SampleOptions = { folder, cases: ["ramp"], patch: [16, 8, 8], seed: 3 };
  const set = new CaseSet(folder, ["ramp"]);

  test("padding is the case's minimum, or 0 for upstream parity", async () => {
    const smallest = Math.min(...(await trainingSample(set, options, 0, 0)).data);
    expect(smallest).toBe(-5);
    const zero = await trainingSample(set, { ...options, padding: "zero" }, 0, 0);
    expect([...zero.data].filter((v) => v === 0).length).toBeGreaterThan(400);
    expect(Math.min(...zero.data)).toBe(0);
  });

  test("depend on seed, step and index only", async () => {
    const one = await trainingSample(set, options, 4, 1);
    expect((await trainingSample(new CaseSet(folder, ["ramp"]), options, 4, 1)).data).toEqual(one.data);
    const others = [
      [5, 1],
      [4, 0],
    ] as const;
    for (const [step, index] of others) {
      expect((await trainingSample(set, options, step, index)).data).not.toEqual(one.data);
    }
  });

  test("validation patches are fixed", async () => {
    const first = await validationSample(set, options, 2);
    expect((await validationSample(set, options, 2)).data).toEqual(first.data);
    expect((await validationSample(set, options, 3)).data).not.toEqual(first.data);
    const two = new CaseSet(folder, ["two"]);
    expect((await failure(() => validationSample(two, options, 0))).message).toMatch(
      /2 channels, 1 are expected/,
    );
  });
});
