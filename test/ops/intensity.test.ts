/** The transforms of augmentation against numpy and scipy; generic checks are in op-suite.test.ts. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import {
  changeContrast,
  correctGamma,
  type DeviceName,
  gaussianBlur,
  gaussianNoise,
  resampleLabels,
  scaleIntensity,
  type Tensor,
  tensor,
  zeros,
} from "../../lib";
import { lowerResolution } from "../../lib/data/segmentation-augment";
import { rng } from "../../lib/random";
import { freeAfterEach } from "../lifetime";

freeAfterEach();

type Triple = [number, number, number];
interface Case {
  shape: Triple;
  x: number[];
  y: number[];
}
type Golden = {
  blur: (Case & { sigma: Triple })[];
  contrast: (Case & { factor: number })[];
  gamma: (Case & { exponent: number; inverted: boolean })[];
  lowResolution: (Case & { share: number })[];
  labels: (Case & { size: Triple; matrix: number[] })[];
  noise: (Case & { seed: number; step: number; index: number; sigma: number })[];
};
const golden: Golden = JSON.parse(
  readFileSync(join(__dirname, "../golden/segmentation_augment.json"), "utf8"),
);

async function worst(y: Tensor, wanted: ArrayLike<number>): Promise<number> {
  const found = (await y.data()) as Float32Array;
  expect(found.length).toBe(wanted.length);
  return found.reduce((most, v, i) => Math.max(most, Math.abs(v - wanted[i]!)), 0);
}

describe.each<DeviceName>(["cpu", "reference"])("on %s", (device) => {
  const volume = ({ x, shape }: Case) => tensor(x, [1, 1, ...shape], { device });

  test.each(golden.blur)("blur by $sigma is scipy's", async (c) => {
    expect(await worst(gaussianBlur(volume(c), c.sigma), c.y)).toBeLessThan(1e-6);
  });

  test.each(golden.contrast)("contrast $factor is numpy's", async (c) => {
    const x = volume(c);
    changeContrast(x, c.factor);
    expect(await worst(x, c.y)).toBeLessThan(2e-6);
  });

  test.each(golden.gamma)("gamma $exponent, inverted $inverted, is numpy's", async (c) => {
    const x = volume(c);
    correctGamma(x, c.exponent, c.inverted);
    expect(await worst(x, c.y)).toBeLessThan(4e-6);
  });

  test.each(golden.lowResolution)("low resolution $share is scipy's", async (c) => {
    expect(await worst(lowerResolution(volume(c), c.share, false), c.y)).toBeLessThan(1e-6);
  });

  test.each(golden.labels)("labels $shape → $size are the argmax of scipy's one-hot maps", async (c) => {
    expect(await worst(resampleLabels(volume(c), c.size, c.matrix, -9), c.y)).toBe(0);
  });

  test.each(golden.noise)("noise is Box-Muller on Philox", async (c) => {
    const x = zeros([1, 1, ...c.shape], { device });
    gaussianNoise(x, c);
    expect(await worst(x, c.y)).toBeLessThan(1e-7);
  });

  test("noise is what the stream of lib/random.ts gives, to all samples alike", async () => {
    const seed = Math.floor(Math.random() * 2 ** 52);
    const wanted = rng(seed, 3, "test", 2).fillNormal(new Float32Array(11 * 13 * 17));
    const x = zeros([2, 1, 11, 13, 17], { device });
    gaussianNoise(x, { sigma: 1, seed, step: 3, index: 2, purpose: "test" });
    expect([seed, (await worst(x, [...wanted, ...wanted])) < 4e-6]).toEqual([seed, true]);
  });

  test("constant volumes stay constant, extremes stay extremes", async () => {
    const flat = tensor(new Float32Array(60).fill(3.5), [1, 1, 3, 4, 5], { device });
    correctGamma(flat, 0.7);
    changeContrast(flat, 1.2);
    expect(await worst(gaussianBlur(flat, [1, 1, 1]), new Array(60).fill(3.5))).toBeLessThan(1e-5);
    const x = tensor([-1, 0, 0, 0.5, 2, 2, 1, 0], [1, 1, 2, 2, 2], { device });
    changeContrast(x, 1.25);
    const y = await x.data();
    expect([Math.min(...y), Math.max(...y)]).toEqual([-1, 2]);
    scaleIntensity(x, 0);
    expect(Array.from(await x.data()).every((v) => v === 0)).toBe(true);
  });
});

test("a million values of noise have the moments of a normal distribution", async () => {
  const x = zeros([1, 1, 100, 100, 100]);
  gaussianNoise(x, { sigma: 1, seed: Math.floor(Math.random() * 2 ** 52) });
  const values = (await x.data()) as Float32Array;
  const moment = (power: number) => values.reduce((sum, v) => sum + v ** power, 0) / values.length;
  // Five deviations of the estimates: sqrt of (1, 2, 15, 96) / n
  for (const [power, wanted, variance] of [
    [1, 0, 1],
    [2, 1, 2],
    [3, 0, 15],
    [4, 3, 96],
  ] as const)
    expect(Math.abs(moment(power) - wanted)).toBeLessThan(5 * Math.sqrt(variance / 1e6));
});
