import { cpSync, readFileSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { StoredCase } from "../../lib/data/case-store";
import { readDataset } from "../../lib/data/dataset-json";
import { foregroundLocations } from "../../lib/data/label-map";
import { prepareLabelled, verifyDataset } from "../../lib/data/labelled-dataset";
import { readNifti } from "../../lib/data/nifti";
import { writeNifti } from "../../lib/data/nifti-writer";
import type { PreprocessOptions } from "../../lib/data/preprocess-image";
import { cut } from "../../lib/data/preprocess-steps";
import { rng } from "../../lib/random";
import { AFFINE, drawCase, LABELS, makeDataset, writeCaseFiles, writeDatasetJson } from "./made-dataset";
import { failure, temporaryFolder } from "./temp";

const root = temporaryFolder();
const seed = Date.now();

async function prepared(raw: string, folder: string, options: Partial<PreprocessOptions> = {}, workers = 0) {
  const steps: Record<string, string> = {};
  const generator = prepareLabelled(await readDataset(raw), folder, options, workers);
  for await (const { case: id, status } of generator) steps[id] = status;
  return steps;
}

async function drained(generator: AsyncGenerator<unknown>): Promise<void> {
  for await (const _ of generator) void _;
}

/** The nearest whole number, the even one of two, as Python rounds (method.md §6.3). */
const nearest = (v: number) => (v % 1 === 0.5 ? 2 * Math.round(v / 2) : Math.round(v));

describe("cases of several channels", () => {
  const raw = join(root, "raw");
  const folder = join(root, "cases");

  test("get one crop, a z-score a channel, and their label map last", async () => {
    await makeDataset(raw, 2, 3, seed);
    // One channel reaches further than the others: its voxels count for the crop.
    const random = rng(seed, 9, "test");
    const made = drawCase("c01", random, 3, [20, 22, 24]);
    made.images[2]![0] = 7;
    await writeCaseFiles(raw, made);
    expect(await prepared(raw, folder, { spacing: null })).toEqual({ c00: "done", c01: "done" });

    const stored = await StoredCase.open(folder, "c01");
    const { properties } = stored;
    expect(stored.shape).toEqual([4, 19, 21, 23]);
    expect(properties.crop).toEqual({ start: [0, 0, 0], end: [19, 21, 23] });
    const size = properties.shapes.stored;
    const statistics = [properties, ...properties.further!];
    for (const [c, image] of made.images.entries()) {
      const box = cut(image, made.shape, properties.crop);
      const mean = box.reduce((a, b) => a + b, 0) / box.length;
      const std = Math.sqrt(box.reduce((a, b) => a + (b - mean) ** 2, 0) / box.length);
      const found = await stored.read([0, 0, 0], size, c);
      const error = Math.max(...found.map((v, i) => Math.abs(v - (box[i]! - mean) / std)));
      expect(error).toBeLessThan(1e-5);
      expect(statistics[c]!.mean).toBeCloseTo(mean, 8);
      expect(statistics[c]!.std).toBeCloseTo(std, 8);
      expect(statistics[c]!.minimum).toBe(Math.min(...found));
    }
    const label = await stored.read([0, 0, 0], size, 3);
    expect([...label]).toEqual([...cut(made.label, made.shape, properties.crop)]);
    const { table, locations } = foregroundLocations(label, properties.label!.scheme);
    expect(properties.label!.foreground).toEqual(table);
    expect([...(await stored.locations())]).toEqual([...locations]);
  });

  test("are resampled together", async () => {
    const stored = async (workers: number) => {
      const to = join(root, `resampled-${workers}`);
      await prepared(raw, to, { spacing: [0.8, 1.1, 1] }, workers);
      const found = await StoredCase.open(to, "c00");
      const { cropped, stored: size } = found.properties.shapes;
      expect(size).toEqual([1.5 / 0.8, 1 / 1.1, 1].map((ratio, a) => nearest(ratio * cropped[a]!)));
      const label = await found.read([0, 0, 0], size, 3);
      expect(new Set(label)).toEqual(new Set([0, 1, 2]));
      // Where the label map says 1 or 2, the images are brighter than the background inside of the head.
      const image = await found.read([0, 0, 0], size, 1);
      const means = [1, 2].map((l) => {
        const values = [...image].filter((_, i) => label[i] === l);
        return values.reduce((a, b) => a + b, 0) / values.length;
      });
      expect(means[1]).toBeGreaterThan(means[0]!);
      return [...image, ...label];
    };
    expect(await stored(2)).toEqual(await stored(0));
  });

  test("are made again only where something changed", async () => {
    const options = { spacing: null };
    expect(await prepared(raw, folder, options)).toEqual({ c00: "current", c01: "current" });
    const label = join(raw, "labelsTr", "c00.nii.gz");
    const { data, shape } = await readNifti(label);
    await writeNifti(label, { data: data.map((v) => (v === 2 ? 1 : v)), shape, affine: AFFINE });
    expect(await prepared(raw, folder, options)).toEqual({ c00: "done", c01: "current" });
    const further = join(raw, "imagesTr", "c01_0002.nii.gz");
    const image = await readNifti(further);
    await writeNifti(further, { data: image.data.map((v) => v * 2), shape: image.shape, affine: AFFINE });
    expect(await prepared(raw, folder, options)).toEqual({ c00: "current", c01: "done" });
    const json = JSON.parse(readFileSync(join(raw, "dataset.json"), "utf8"));
    writeDatasetJson(raw, { ...json, labels: { ...LABELS, ignore: 3 } });
    expect(await prepared(raw, folder, options)).toEqual({ c00: "done", c01: "done" });
    expect(await prepared(raw, folder, { ...options, crop: "none" })).toEqual({ c00: "done", c01: "done" });
  });

  test("with damaged locations are found out", async () => {
    const to = join(root, "damaged");
    cpSync(folder, to, { recursive: true });
    const file = join(to, "c00.zarr", "locations.bin");
    const bytes = readFileSync(file);
    bytes[rng(seed, 3, "test").int(bytes.length)]! ^= 4;
    writeFileSync(file, bytes);
    const stored = await StoredCase.open(to, "c00");
    expect(await failure(() => stored.locations())).toMatchObject({ code: "ERR_VOXELSPARK_CHECKSUM" });
    expect((await failure(() => stored.verify())).message).toContain(file);
  });
});

describe("verification", () => {
  const raw = join(root, "faulty");

  beforeAll(async () => {
    const cases = await makeDataset(raw, 7, 2, seed);
    const path = (id: string, c: number) => join(raw, "imagesTr", `${id}_000${c}.nii.gz`);
    const write = (file: string, i: number, change: (data: Float32Array) => void, affine = AFFINE) => {
      const data = (file.includes("labelsTr") ? cases[i]!.label : cases[i]!.images[1]!).slice();
      change(data);
      return writeNifti(file, { data, shape: cases[i]!.shape, affine, type: "float32" });
    };
    const label = (i: number) => join(raw, "labelsTr", `c0${i}.nii.gz`);
    const moved = (by: number) => AFFINE.map((v, i) => (i === 3 ? v + by : v));
    const none = () => {};
    await write(path("c00", 1), 0, none, moved(0.2)); // 0.2 of a voxel
    await write(label(0), 0, (d) => d.fill(9, 0, 5));
    await write(
      label(1),
      1,
      none,
      AFFINE.map((v, i) => (i === 10 ? v * 1.002 : v)),
    );
    await write(path("c02", 1), 2, (d) => d.fill(Number.NaN, 3, 5));
    truncateSync(label(3), 90);
    const small = drawCase("c04", rng(seed, 40, "test"), 1, [12, 13, 14]);
    await writeNifti(label(4), { data: small.label, shape: small.shape, affine: AFFINE });
    await write(label(5), 5, (d) => d.set([1.25, -1, 2]));
    await write(label(6), 6, none, moved(0.05)); // within the tolerance of 0.1
  });

  const expected = [
    /case c00: .*c00_0000.nii.gz and .*c00_0001.nii.gz: origins .* 0.2\d* voxels apart, allowed is 0.1/,
    /c00.nii.gz holds labels that dataset.json does not name: 9 \(5 voxels\)/,
    /case c01: .*c01.nii.gz: spacings differ: \[.*1.5.*\] and \[.*1.503.*\] mm, .* 0.001/,
    /case c02: .*c02_0001.nii.gz.*2 /,
    /case c03: .*c03.nii.gz/,
    /case c04: .*shapes differ: .*12,13,14/,
    /case c05: .*-1 \(1 voxels\), 1.25 \(1 voxels\); allowed are whole numbers from 0 to 2/,
  ];

  test("names every fault of every case in one error, before anything is trained", async () => {
    const out = join(root, "none");
    const { code, message } = await failure(() => prepared(raw, out));
    expect(code).toBe("ERR_VOXELSPARK_DATA");
    for (const part of expected) expect(message).toMatch(part);
    expect(message).not.toContain("case c06");
    // The others are made and need not be again.
    expect((await StoredCase.open(out, "c06")).shape[0]).toBe(3);
  });

  test("alone finds the same and writes nothing", async () => {
    const { message } = await failure(async () => drained(verifyDataset(await readDataset(raw))));
    for (const part of expected) expect(message).toMatch(part);
  });

  test("passes a good data set", async () => {
    const good = join(root, "good");
    await makeDataset(good, 2, 1, seed);
    await drained(verifyDataset(await readDataset(good)));
  });
});
