import { join } from "node:path";
import { readNifti } from "../../lib/data/nifti";
import { drawScanner } from "../../lib/data/phantom-scanner";
import { PHANTOM_LABELS, phantom, writePhantoms } from "../../lib/data/phantoms";
import { rng } from "../../lib/random";
import { temporaryFolder } from "./temp";

const folder = temporaryFolder();
const shape: [number, number, number] = [32, 40, 36];

test("is a pure function of seed and index", () => {
  const first = phantom(3, { seed: 5, shape });
  expect(phantom(3, { seed: 5, shape })).toEqual(first);
  expect(phantom(4, { seed: 5, shape }).image).not.toEqual(first.image);
  expect(phantom(3, { seed: 6, shape }).image).not.toEqual(first.image);
});

test("holds every tissue, brighter white than grey than fluid", () => {
  const { image, labels } = phantom(0, { seed: 1, shape: [64, 64, 64], lesions: 4 });
  const mean = (label: number): number => {
    let [sum, n] = [0, 0];
    for (let i = 0; i < labels.length; i++) if (labels[i] === label) [sum, n] = [sum + image[i]!, n + 1];
    expect(n).toBeGreaterThan(20);
    return sum / n;
  };
  const { fluid, greyMatter, whiteMatter, ventricles, lesions, deepNuclei } = PHANTOM_LABELS;
  expect(mean(whiteMatter)).toBeGreaterThan(mean(greyMatter) + 20);
  expect(mean(greyMatter)).toBeGreaterThan(mean(fluid) + 20);
  expect(mean(ventricles)).toBeLessThan(mean(deepNuclei) - 20);
  expect(mean(lesions)).toBeLessThan(mean(whiteMatter) - 20);
});

test("of mixed scanners keeps the anatomy and changes how it looks", () => {
  const heads = [0, 1, 2, 3, 4, 5].map((i) => phantom(i, { seed: 1, shape, scanners: "mixed" }));
  const { greyMatter, whiteMatter } = PHANTOM_LABELS;
  const brighter = heads.map(({ image, labels }, i) => {
    expect(labels).toEqual(phantom(i, { seed: 1, shape }).labels);
    const sums = new Float64Array(7);
    const counts = new Float64Array(7);
    for (const [at, label] of labels.entries()) {
      sums[label] = sums[label]! + image[at]!;
      counts[label] = counts[label]! + 1;
    }
    return sums[whiteMatter]! / counts[whiteMatter]! > sums[greyMatter]! / counts[greyMatter]!;
  });
  expect(new Set(brighter)).toEqual(new Set([true, false]));
  const scanners = Array.from(
    { length: 30 },
    (_, i) => drawScanner("mixed", rng(3, 1, "phantom", i)).brightness,
  );
  for (const { nuclei, grey, ventricle, fluid: around } of scanners)
    expect([nuclei, ventricle]).toEqual([grey, around]);
  const order = ({ fluid, grey, white }: (typeof scanners)[0]) =>
    [fluid, grey, white].map((v) => [fluid, grey, white].filter((other) => other < v).length).join("");
  expect(new Set(scanners.map(order))).toEqual(new Set(["012", "210", "021"]));
  expect(order(drawScanner("varied", rng(3, 1, "phantom", 0)).brightness)).toBe("012");
});

test("is written as image and label map on one grid", async () => {
  const steps = [];
  for await (const step of writePhantoms(folder, 2, { seed: 1, shape })) steps.push(step);
  expect(steps.map((s) => [s.done, s.total])).toEqual([
    [1, 2],
    [2, 2],
  ]);
  const last = steps[1]!;
  expect(last.image.endsWith(join("images", "phantom-001.nii.gz"))).toBe(true);
  const [image, labels] = [await readNifti(last.image), await readNifti(last.labels)];
  expect(image.shape).toEqual(shape);
  expect(labels.geometry).toEqual(image.geometry);
  expect(image.geometry.orientation).toBe("RAS");
  expect([...image.data]).toEqual([...phantom(1, { seed: 1, shape }).image]);
});

test("refuses impossible sizes", () => {
  expect(() => phantom(0, { shape: [4, 64, 64] })).toThrow(/8 to 1024/);
  expect(() => phantom(0, { spacing: 0 })).toThrow(/0\.01 to 100/);
});
