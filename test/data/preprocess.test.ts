import { copyFileSync, mkdirSync, readdirSync, readFileSync, utimesSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { StoredCase } from "../../lib/data/case-store";
import { writeNifti } from "../../lib/data/nifti-writer";
import {
  medianSpacing,
  nonzeroBox,
  type PreprocessOptions,
  type PreprocessStep,
  preprocess,
  separateAxis,
} from "../../lib/data/preprocess";
import { findCases } from "../../lib/data/sources";
import { failure, temporaryFolder } from "./temp";

const root = temporaryFolder();
const FIXTURES = join(__dirname, "../golden/preprocess");
interface Golden {
  target: [number, number, number];
  box: [number, number][];
  mean: number;
  std: number;
  size: number[];
  every: number;
  values: number[];
}
const golden: Record<string, Golden> = JSON.parse(readFileSync(join(FIXTURES, "golden.json"), "utf8"));

async function run(
  input: string,
  out: string,
  options: Partial<PreprocessOptions> = {},
): Promise<PreprocessStep[]> {
  const steps: PreprocessStep[] = [];
  for await (const step of preprocess(await findCases(input), out, options)) steps.push(step);
  return steps;
}

const worst = (a: ArrayLike<number>, b: ArrayLike<number>): number => {
  expect(a.length).toBe(b.length);
  return Array.from(a).reduce((most, v, i) => Math.max(most, Math.abs(v - b[i]!)), 0);
};

test.each(Object.keys(golden))("%s is what numpy, scipy and scikit-image make of it", async (name) => {
  const expected = golden[name]!;
  const out = join(root, "golden");
  const [step] = await run(join(FIXTURES, name), out, { spacing: expected.target });
  expect(step).toMatchObject({ status: "done", done: 1, total: 1 });
  const stored = await StoredCase.open(out, step!.case);
  const { crop, mean, std, shapes, minimum } = stored.properties;
  expect(crop.start.map((s, a) => [s, crop.end[a]])).toEqual(expected.box);
  expect(mean).toBeCloseTo(expected.mean, 5);
  expect(std).toBeCloseTo(expected.std, 5);
  expect(shapes.stored).toEqual(expected.size);
  const data = await stored.read([0, 0, 0], shapes.stored as [number, number, number]);
  expect(
    worst(
      data.filter((_, i) => i % expected.every === 0),
      expected.values,
    ),
  ).toBeLessThan(2e-6);
  expect(minimum).toBe(data.reduce((a, b) => Math.min(a, b), Infinity));
});

test("axes of one voxel are kept, or stretched from their only slice", async () => {
  const path = join(root, "thin.nii");
  const affine = [1, 0, 0, 0, 0, 2, 0, 0, 0, 0, 3, 0, 0, 0, 0, 1];
  await writeNifti(path, {
    data: Float32Array.from({ length: 30 }, (_, i) => i + 1),
    shape: [1, 5, 6],
    affine,
  });
  const [step] = await run(path, join(root, "thin"));
  expect(step).toMatchObject({ status: "done" });
  const stored = await StoredCase.open(join(root, "thin"), "thin");
  expect(stored.shape).toEqual([1, 3, 10, 6]);
  const data = await stored.read([0, 0, 0], [3, 10, 6]);
  expect([...data.subarray(0, 60)]).toEqual([...data.subarray(120)]);
  expect(data.every(Number.isFinite)).toBe(true);
});

test("the median spacing comes from the headers", async () => {
  const all = await findCases(FIXTURES);
  expect(await medianSpacing(all)).toEqual([1, 1, 1]);
  const two = all.filter((c) => c.id === "finer" || c.id === "coarser");
  const expected = [0.95, 1.25, 1.15].map((v) => expect.closeTo(v, 5)); // z, y, x: means of the two
  expect(await medianSpacing([...two, { id: "gone", path: "/nowhere.nii" }])).toEqual(expected);
  expect((await failure(() => medianSpacing([]))).code).toBe("ERR_VOXELSPARK_EMPTY");
});

test("the axis of thick slices", () => {
  expect(separateAxis([5, 1, 1], [1, 1, 1], 3)).toBe(0);
  expect(separateAxis([1, 1, 3.1], [1, 1, 1], 3)).toBe(2);
  expect(separateAxis([3, 1, 1], [1, 1, 1], 3)).toBeUndefined();
  expect(separateAxis([5, 5, 1], [1, 1, 1], 3)).toBeUndefined();
  expect(separateAxis([1, 1, 1], [1, 4, 1], 3)).toBe(1);
  expect(separateAxis([5, 1, 1], [1, 4, 1], 3)).toBe(0); // what the image has goes first
  expect(separateAxis([5, 5, 1], [1, 4, 1], 3)).toBeUndefined();
});

test("the box of voxels that are not 0", () => {
  const data = new Float32Array(60);
  expect(nonzeroBox(data, [3, 4, 5])).toBeUndefined();
  data[27] = 1; // (1, 1, 2)
  data[53] = -1; // (2, 2, 3)
  expect(nonzeroBox(data, [3, 4, 5])).toEqual({ start: [1, 1, 2], end: [3, 3, 4] });
});

describe("a folder of images", () => {
  const input = join(root, "input");
  const out = join(root, "out");
  const shape = [6, 7, 8] as const;
  const image = (value: (i: number) => number) => ({
    data: Float32Array.from({ length: 336 }, (_, i) => value(i)),
    shape,
  });

  beforeAll(async () => {
    mkdirSync(input);
    await writeNifti(
      join(input, "a.nii.gz"),
      image((i) => i % 17),
    );
    await writeNifti(
      join(input, "constant.nii"),
      image(() => 7),
    );
    await writeNifti(
      join(input, "empty.nii"),
      image(() => 0),
    );
    await writeNifti(
      join(input, "nan.nii"),
      image((i) => (i === 9 ? Number.NaN : i)),
    );
    await writeNifti(
      join(input, "z.nii"),
      image((i) => i),
    );
    copyFileSync(join(__dirname, "../golden/nifti/four_d.nii"), join(input, "four_d.nii"));
    writeFileSync(join(input, "short.nii"), readFileSync(join(input, "z.nii")).subarray(0, 900));
  });

  test("failures are named and the rest goes on", async () => {
    const steps = await run(input, out);
    expect(steps.map((s) => [s.case, s.status, s.error?.code])).toEqual([
      ["a", "done", undefined],
      ["constant", "done", undefined],
      ["empty", "failed", "ERR_VOXELSPARK_EMPTY"],
      ["four_d", "failed", "ERR_VOXELSPARK_UNSUPPORTED"],
      ["nan", "failed", "ERR_VOXELSPARK_NON_FINITE"],
      ["short", "failed", "ERR_VOXELSPARK_TRUNCATED"],
      ["z", "done", undefined],
    ]);
    for (const s of steps.filter((s) => s.error)) expect(s.error!.message).toContain(basename(s.path));
    expect(steps[1]!.warnings[0]).toMatch(/constant\.nii: the image is constant \(7\)/);
    const constant = await StoredCase.open(out, "constant");
    expect([...(await constant.read([0, 0, 0], [6, 7, 8]))].every((v) => v === 0)).toBe(true);
    expect(readdirSync(out)).toEqual(["a.zarr", "constant.zarr", "z.zarr"]);
  });

  test("workers make the same cases and report the same failures", async () => {
    const steps: PreprocessStep[] = [];
    const shared = join(root, "shared");
    for await (const step of preprocess(await findCases(input), shared, {}, 3)) {
      steps.push(step);
      await new Promise((resolve) => setTimeout(resolve, 100)); // several finish meanwhile: none may be lost
    }
    expect(steps.map((s) => s.done)).toEqual([1, 2, 3, 4, 5, 6, 7]);
    const found = steps.map((s) => `${s.case} ${s.status} ${s.error?.code} ${s.error?.name}`).sort();
    expect(found).toEqual([
      "a done undefined undefined",
      "constant done undefined undefined",
      "empty failed ERR_VOXELSPARK_EMPTY DataError",
      "four_d failed ERR_VOXELSPARK_UNSUPPORTED FormatError",
      "nan failed ERR_VOXELSPARK_NON_FINITE DataError",
      "short failed ERR_VOXELSPARK_TRUNCATED FormatError",
      "z done undefined undefined",
    ]);
    for (const name of ["a", "z"]) {
      const part = join(`${name}.zarr`, "c/0/0/0/0");
      expect(readFileSync(join(shared, part)).equals(readFileSync(join(out, part)))).toBe(true);
    }
  });

  test("a number of workers that makes no sense is refused, and the folder stays free", async () => {
    const images = await findCases(join(input, "a.nii.gz"));
    const wrong = preprocess(images, join(root, "wrong"), {}, 1.5);
    expect((await failure(() => wrong.next())).message).toMatch(/whole number from 0 to 256, found 1\.5/);
    expect(await run(join(input, "a.nii.gz"), join(root, "wrong"))).toHaveLength(1);
  });

  test("a consumer that stops early leaves a free folder", async () => {
    const early = join(root, "early");
    for await (const step of preprocess(await findCases(input), early, {}, 2)) if (step.done === 1) break;
    expect((await run(join(input, "a.nii.gz"), early)).length).toBe(1);
  });

  test("a re-run redoes only what changed", async () => {
    const good = join(root, "good");
    mkdirSync(good);
    for (const name of ["a.nii.gz", "z.nii"]) copyFileSync(join(input, name), join(good, name));
    const status = async (options = {}) =>
      (await run(good, join(root, "again"), options)).map((s) => s.status);
    expect(await status()).toEqual(["done", "done"]);
    expect(await status()).toEqual(["current", "current"]);
    utimesSync(join(good, "z.nii"), 1e9, 1e9); // touched, same content
    expect(await status()).toEqual(["current", "current"]);
    await writeNifti(
      join(good, "z.nii"),
      image((i) => i + 1),
    ); // same size, other content
    expect(await status()).toEqual(["current", "done"]);
    expect(await status({ spacing: [2, 2, 2] })).toEqual(["done", "done"]);
    writeFileSync(join(root, "again", "a.zarr", "c/0/0/0/0"), "short");
    expect(await status({ spacing: [2, 2, 2] })).toEqual(["done", "current"]);
  });

  test("non-finite voxels can be set to 0, which the case records", async () => {
    const [step] = await run(join(input, "nan.nii"), join(root, "zeroed"), { nonFinite: "zero" });
    expect(step!.status).toBe("done");
    const { properties } = await StoredCase.open(join(root, "zeroed"), "nan");
    expect(properties.options).toMatchObject({ nonFinite: "zero" });
    expect(properties.warnings[0]).toMatch(/1 voxels were NaN/);
  });

  test("an unreadable image beside the output folder is a failure of the image", async () => {
    const image = { id: "gone", path: join(root, "beside-images", "gone.nii"), subject: "gone" };
    const steps: PreprocessStep[] = [];
    for await (const step of preprocess([image], join(root, "beside"))) steps.push(step);
    expect(steps).toMatchObject([{ case: "gone", status: "failed", error: { code: "ERR_VOXELSPARK_IO" } }]);
  });

  test("an output folder that cannot be used ends the run", async () => {
    expect((await failure(() => run(input, "/dev/null/out"))).code).toBe("ERR_VOXELSPARK_IO");
  });

  test("leaves of a killed run are removed, and the folder is free again", async () => {
    mkdirSync(join(out, ".tmp-1-0123456789ab"));
    await run(join(input, "a.nii.gz"), out);
    expect(readdirSync(out).filter((n) => n.startsWith("."))).toEqual([]);
  });
});
