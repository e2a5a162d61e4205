import { type MaskOptions, maskedCount, maskGrid, sampleMask, validationMask } from "../lib/masking";

const S3D: MaskOptions = { patch: [160, 160, 160], block: 32, ratio: [0.6, 0.9], per: "batch" };
const masked = (visible: Uint8Array, samples: number) =>
  Array.from({ length: samples }, (_, s) => {
    const cells = visible.length / samples;
    return cells - visible.subarray(s * cells, (s + 1) * cells).reduce((a, b) => a + b, 0);
  });

describe("number of masked blocks", () => {
  // Ratios that upstream draws first, and the counts it masks of 10³ and 5³ blocks (method.md §2).
  test.each([
    [0.808941, 808, 101],
    [0.685842, 685, 85],
    [0.668055, 668, 83],
    [0.765394, 765, 95],
    [0.815841, 815, 101],
    [0.75, 750, 93],
  ])("ratio %p masks %p of 1000 and %p of 125", (ratio, of1000, of125) => {
    expect(maskedCount(1000, ratio)).toBe(of1000);
    expect(maskedCount(125, ratio)).toBe(of125);
  });

  test.each([
    [8, 0.1, "nothing masked"],
    [8, 0, "nothing masked"],
    [8, 1, "nothing visible"],
    [8, Number.NaN, "nothing masked"],
    [1, 0.5, "nothing masked"],
  ])("%p blocks at ratio %p are refused: %s", (cells, ratio, expected) => {
    expect(() => maskedCount(cells, ratio)).toThrow(expected);
  });
});

describe("sampleMask", () => {
  test("fills a batch with the drawn share, one ratio for all samples, another pattern for each", () => {
    const mask = sampleMask(S3D, { seed: 1, step: 5, samples: 6 });
    expect(mask.grid).toEqual([5, 5, 5]);
    expect(mask.visible).toHaveLength(6 * 125);
    expect(new Set(mask.ratios).size).toBe(1);
    expect(new Set(masked(mask.visible, 6))).toEqual(new Set([maskedCount(125, mask.ratios[0]!)]));
    const patterns = Array.from({ length: 6 }, (_, s) =>
      mask.visible.subarray(s * 125, (s + 1) * 125).join(""),
    );
    expect(new Set(patterns).size).toBe(6);
  });

  test("per sample: each its own ratio", () => {
    const mask = sampleMask({ ...S3D, per: "sample" }, { seed: 1, step: 5, samples: 6 });
    expect(new Set(mask.ratios).size).toBe(6);
    expect(masked(mask.visible, 6)).toEqual(mask.ratios.map((r) => maskedCount(125, r)));
  });

  test("is a pure function of seed, step and sample", () => {
    const one = sampleMask(S3D, { seed: 1, step: 5, samples: 1 });
    const six = sampleMask(S3D, { seed: 1, step: 5, samples: 6 });
    expect(six.visible.subarray(0, 125)).toEqual(one.visible);
    expect(sampleMask(S3D, { seed: 1, step: 5, samples: 6 })).toEqual(six);
    expect(sampleMask(S3D, { seed: 1, step: 6, samples: 6 }).visible).not.toEqual(six.visible);
    expect(sampleMask(S3D, { seed: 2, step: 5, samples: 6 }).visible).not.toEqual(six.visible);
  });

  test("ratios are uniform over the interval and every block is masked equally often", () => {
    const ratios: number[] = [];
    const times = new Float64Array(125);
    for (let step = 0; step < 4000; step++) {
      const mask = sampleMask(S3D, { seed: 7, step, samples: 1 });
      ratios.push(mask.ratios[0]!);
      mask.visible.forEach((v, cell) => {
        times[cell] = times[cell]! + 1 - v;
      });
    }
    expect(Math.min(...ratios)).toBeGreaterThanOrEqual(0.6);
    expect(Math.max(...ratios)).toBeLessThan(0.9);
    expect(ratios.reduce((a, b) => a + b) / ratios.length).toBeCloseTo(0.75, 2);
    const mean = times.reduce((a, b) => a + b) / 125;
    for (const n of times) expect(Math.abs(n - mean)).toBeLessThan(150); // 5 deviations of a binomial count
  });

  test("a range whose ends are exchanged is refused", () => {
    const options = { patch: [8, 8, 8], block: 4, ratio: [0.9, 0.6], per: "batch" } as const;
    expect(() => sampleMask(options, { seed: 1, step: 0, samples: 1 })).toThrow(
      /\[low, high\], found \[0\.9, 0\.6\]/,
    );
  });

  test("anisotropic patches and bad sizes", () => {
    expect(maskGrid([32, 64, 96], 16)).toEqual([2, 4, 6]);
    expect(() => maskGrid([32, 64, 90], 16)).toThrow(
      "A mask block of 16 voxels does not divide the patch [32, 64, 90].",
    );
    expect(() => maskGrid([32, 32, 32], 0)).toThrow(/does not divide/);
    expect(() => sampleMask(S3D, { seed: 0, step: 0, samples: 0 })).toThrow(/at least one sample/);
  });
});

test("validation masks depend on the seed and the patch's number alone", () => {
  const all = validationMask(S3D, { seed: 3, samples: 4 });
  const last = validationMask(S3D, { seed: 3, first: 2, samples: 2 });
  expect(all.visible.subarray(250)).toEqual(last.visible);
  expect(all.ratios.slice(2)).toEqual(last.ratios);
  expect(new Set(all.ratios).size).toBe(4);
  expect(validationMask(S3D, { seed: 4, samples: 4 }).visible).not.toEqual(all.visible);
});
