import { join } from "node:path";
import { readNifti } from "../../lib/data/nifti";
import { PHANTOM_LABELS, phantom, writePhantoms } from "../../lib/data/phantoms";
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
