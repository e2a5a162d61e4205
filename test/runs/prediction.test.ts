import { readdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { conv3d, full, readNifti, resetPeak, stats, type Tensor, tensor, writeNifti } from "../../lib";
import {
  type PredictionEvent,
  type PredictionModel,
  type PredictionRun,
  predictCase,
  runPrediction,
  writePrediction,
} from "../../lib/runs/prediction";
import { failure, temporaryFolder } from "../data/temp";
import { freeAfterEach } from "../lifetime";

freeAfterEach();
const folder = temporaryFolder();
type Triple = readonly [number, number, number];

const preprocessing = {
  spacing: [1, 1, 1],
  crop: "nonzero",
  normalization: "none",
  interpolation: "cubic",
  anisotropyThreshold: 3,
  nonFinite: "error",
  geometry: "auto",
} as const;
const classes = { labels: { background: 0, shell: 1, core: 2 } };
const planOf = (change: Partial<PredictionModel["plan"]> = {}): PredictionModel["plan"] => ({
  channels: ["T1"],
  labels: classes,
  patch: [16, 16, 16],
  preprocessing,
  prediction: { step: 0.5, mirroring: [] },
  ...change,
});

const THRESHOLDS = [4, 11];
/** Logits that are lines of the intensity: class k wins between thresholds k − 1 and k. */
function oracle(change: Partial<PredictionModel["plan"]> = {}): PredictionModel {
  const weight = tensor([0, 1, 2], [3, 1, 1, 1, 1]);
  const bias = tensor([0, -THRESHOLDS[0]!, -THRESHOLDS[0]! - THRESHOLDS[1]!], [3]);
  return { model: { forward: (x) => conv3d(x, weight, bias) }, plan: planOf(change) };
}

/** Turned about all axes and mirrored along x; spacing x, y, z in mm. */
function oblique(spacing: Triple): number[] {
  const [a, b, c] = [0.3, -0.2, 0.15];
  const x = [Math.cos(a), Math.sin(a), 0];
  const y = [-Math.sin(a) * Math.cos(b), Math.cos(a) * Math.cos(b), Math.sin(b)];
  const z = [Math.sin(a) * Math.sin(b), -Math.cos(a) * Math.sin(b), Math.cos(b)];
  const columns = [x.map((v) => -v * spacing[0]), y.map((v) => v * spacing[1]), z.map((v) => v * spacing[2])];
  const rows = [0, 1, 2].flatMap((r) => [...columns.map((column) => column[r]!), 10 * r - c]);
  return [...rows, 0, 0, 0, 1];
}

/** A ball whose brightness rises smoothly towards its middle, away from the middle of the grid; zeros around it. */
function ball([d, h, w]: Triple, [sx, sy, sz]: Triple, radius = 15): Float32Array {
  return Float32Array.from({ length: d * h * w }, (_, i) => {
    const [z, y, x] = [Math.floor(i / (h * w)), Math.floor(i / w) % h, i % w];
    const r2 = ((x - 0.55 * w) * sx) ** 2 + ((y - 0.45 * h) * sy) ** 2 + ((z - 0.5 * d) * sz) ** 2;
    return r2 < radius ** 2 ? 16 * Math.cos((Math.PI / 2) * (Math.sqrt(r2) / radius)) + 0.01 : 0;
  });
}

const truth = (image: Float32Array) => Uint8Array.from(image, (v) => THRESHOLDS.filter((t) => v > t).length);

function dice(a: ArrayLike<number>, b: ArrayLike<number>, label: number): number {
  let [both, sum] = [0, 0];
  for (let i = 0; i < a.length; i++) {
    both += Number(a[i] === label && b[i] === label);
    sum += Number(a[i] === label) + Number(b[i] === label);
  }
  return (2 * both) / sum;
}

let made = 0;
async function write(data: Float32Array, shape: Triple, affine: number[], name?: string): Promise<string> {
  const path = join(folder, name ?? `image${made++}.nii.gz`);
  await writeNifti(path, { data, shape, affine });
  return path;
}

describe("an oracle's labels come back through crop and resampling", () => {
  test.each<[string, Triple, Triple]>([
    ["anisotropic", [18, 50, 44], [0.9, 0.8, 2.1]],
    ["very anisotropic, slices on their own", [12, 60, 56], [0.7, 0.7, 3.3]],
    ["coarse along x", [40, 40, 12], [3.5, 1, 1]],
    ["finer than the plan", [60, 62, 58], [0.6, 0.6, 0.6]],
    ["isotropic, no resampling", [40, 40, 40], [1, 1, 1]],
  ])("%s", async (_, shape, spacing) => {
    const image = ball(shape, spacing);
    const affine = oblique(spacing);
    const path = await write(image, shape, affine);
    const found = await predictCase([oracle()], [path]);
    expect(found.shape).toEqual(shape);
    for (const label of [0, 1, 2]) expect(dice(found.labels, truth(image), label)).toBeGreaterThan(0.99);
    const out = join(folder, "oracle.nii.gz");
    await writePrediction(out, found);
    const [a, b] = [await readNifti(path), await readNifti(out)];
    for (const key of ["srow", "quaternion", "qoffset", "pixdim", "sformCode", "qformCode"] as const)
      expect(b.header[key]).toEqual(a.header[key]);
    expect(b.header.type).toBe("uint8");
  });
});

test("one slice, and a volume smaller than the patch", async () => {
  for (const shape of [
    [1, 40, 44],
    [7, 9, 11],
  ] as const) {
    const image = ball(shape, [1, 1, 1], 14);
    const { labels } = await predictCase([oracle()], [await write(image, shape, oblique([1, 1, 1]))]);
    expect(labels).toEqual(truth(image));
  }
});

test("regions are painted in their order; labels beyond 255 make int16", async () => {
  const labels = { labels: { background: 0, whole: [1, 300], core: 300 }, regionsClassOrder: [1, 300] };
  const weight = tensor([1, 1], [2, 1, 1, 1, 1]);
  const bias = tensor([-4, -11], [2]);
  const model = { model: { forward: (x: Tensor) => conv3d(x, weight, bias) }, plan: planOf({ labels }) };
  const shape = [30, 32, 34] as const;
  const image = ball(shape, [1, 1, 1]);
  const path = await write(image, shape, oblique([1, 1, 1]));
  const found = await predictCase([model], [path]);
  expect(found.labels).toBeInstanceOf(Int16Array);
  expect([...found.labels]).toEqual([...truth(image)].map((v) => [0, 1, 300][v]));
});

test("several channels go to the network in their order, cropped to one box", async () => {
  const shape = [20, 22, 24] as const;
  const [a, b] = [ball(shape, [1, 1, 1], 8), ball(shape, [1, 1, 1], 12)];
  const files = [await write(a, shape, oblique([1, 1, 1])), await write(b, shape, oblique([1, 1, 1]))];
  const weight = tensor([0, 0, 1, 0, 0, 1], [3, 2, 1, 1, 1]); // logits 0, first channel, second channel
  const bias = tensor([5, 0, 0], [3]);
  const model = {
    model: { forward: (x: Tensor) => conv3d(x, weight, bias) },
    plan: planOf({ channels: ["T1", "T2"] }),
  };
  const { labels } = await predictCase([model], files);
  expect([...labels]).toEqual([...a].map((v, i) => (Math.max(v, b[i]!) <= 5 ? 0 : v >= b[i]! ? 1 : 2)));
  expect((await failure(() => predictCase([model], files.slice(1)))).message).toMatch(
    /1 files .* 2 channels \(T1, T2\)/,
  );
});

test("an ensemble averages, and its models must agree", async () => {
  const constant = (logits: number[]): PredictionModel => {
    const weight = full([3, 1, 1, 1, 1], 0);
    const bias = tensor(logits, [3]);
    return { model: { forward: (x) => conv3d(x, weight, bias) }, plan: planOf() };
  };
  const shape = [9, 10, 11] as const;
  const image = new Float32Array(990).fill(1);
  const path = await write(image, shape, oblique([1, 1, 1]));
  const models = [constant([0, 3, 2]), constant([0, 0, 2])];
  expect(new Set((await predictCase(models, [path])).labels)).toEqual(new Set([2]));
  expect(new Set((await predictCase(models.slice(0, 1), [path])).labels)).toEqual(new Set([1]));
  expect(new Set((await predictCase([constant([1, 1, 1])], [path])).labels)).toEqual(new Set([0])); // a tie
  const other = { ...models[0]!, plan: planOf({ channels: ["T2"] }) };
  expect((await failure(() => predictCase([models[0]!, other], [path]))).message).toMatch(
    /channels of model 1 is \["T1"\], of model 2 \["T2"\]/,
  );
  expect((await failure(() => predictCase([], [path]))).code).toBe("ERR_VOXELSPARK_EMPTY");
});

test("probabilities fill the image's grid and pick the same labels", async () => {
  const shape = [14, 30, 28] as const;
  const image = ball(shape, [1, 1, 2.2], 12);
  const path = await write(image, shape, oblique([1, 1, 2.2]));
  const probabilities = join(folder, "soft.npy");
  const { labels } = await predictCase([oracle()], [path], { probabilities });
  const bytes = readFileSync(probabilities);
  expect(bytes.subarray(0, 6).toString("latin1")).toBe("\x93NUMPY");
  const start = 10 + bytes.readUInt16LE(8);
  expect(start % 64).toBe(0);
  expect(bytes.toString("latin1", 10, start)).toMatch(
    /'<f4', 'fortran_order': False, 'shape': \(3, 14, 30, 28\)/,
  );
  const values = new Float32Array(
    bytes.buffer.slice(bytes.byteOffset + start, bytes.byteOffset + bytes.length),
  );
  const voxels = labels.length;
  expect(values.length).toBe(3 * voxels);
  let wrong = 0;
  for (let i = 0; i < voxels; i++) {
    const p = [0, 1, 2].map((k) => values[k * voxels + i]!);
    const sum = p.reduce((a, b) => a + b, 0);
    if (Math.abs(sum - 1) > 1e-5 || p[labels[i]!] !== Math.max(...p)) wrong++;
  }
  expect(wrong).toBe(0);
});

test("memory of logits follows from the patch, not from the volume", async () => {
  const [k, bytes] = [3, 4];
  const peaks: number[] = [];
  for (const depth of [48, 144]) {
    const shape = [depth, 24, 24] as const;
    const image = new Float32Array(depth * 24 * 24).fill(6);
    const path = await write(image, shape, oblique([1, 1, 1]));
    resetPeak("cpu");
    const before = stats("cpu").liveBytes;
    const { labels } = await predictCase([oracle()], [path]);
    expect(labels.every((v) => v === 1)).toBe(true);
    peaks.push(stats("cpu").peakBytes - before - bytes * image.length); // beside the volume itself
  }
  expect(peaks[1]).toBe(peaks[0]);
  expect(peaks[0]).toBeLessThan(5 * bytes * (k + 1) * 16 * 24 * 24);
});

describe("a folder of cases", () => {
  const shape = [12, 13, 14] as const;
  const image = ball(shape, [1, 1, 1], 7);
  const id = async (name: string) => ({ id: name, files: [await write(image, shape, oblique([1, 1, 1]))] });
  async function collect(run: PredictionRun) {
    const events: PredictionEvent[] = [];
    for await (const event of runPrediction(run)) events.push(event);
    return {
      windows: events.filter((e) => e.type === "window"),
      cases: events.filter((e) => e.type === "case"),
      end: events.at(-1),
    };
  }

  test("a bad case is named, the rest is predicted, a re-run skips what is there on request", async () => {
    const out = join(folder, "cases");
    const bad = join(folder, "bad.nii.gz");
    writeFileSync(bad, "no image");
    const cases = [await id("a"), { id: "b", files: [bad] }, await id("c")];
    const models = [oracle()];
    const { cases: seen, windows, end } = await collect({ models, cases, out });
    expect(seen.map((e) => [e.case, e.status, e.done, e.total])).toEqual([
      ["a", "done", 1, 3],
      ["b", "failed", 2, 3],
      ["c", "done", 3, 3],
    ]);
    expect(seen[1]!.error!.message).toContain(bad);
    expect(windows.length).toBe(2);
    expect(end).toEqual({ type: "end", reason: "finished" });
    expect(readdirSync(out).sort()).toEqual(["a.nii.gz", "c.nii.gz"]);
    const again = await collect({ models, cases, out, skipFinished: true });
    expect(again.cases.map((e) => e.status)).toEqual(["current", "failed", "current"]);
    expect((await collect({ models, cases, out })).cases.map((e) => e.status)).toEqual([
      "done",
      "failed",
      "done",
    ]);
  });

  test("NaN voxels and affines are read as asked for, whatever the plan says", async () => {
    const bad = image.slice();
    bad[5] = Number.NaN;
    const run = {
      models: [oracle()],
      cases: [{ id: "nan", files: [await write(bad, shape, oblique([1, 1, 1]))] }],
      out: join(folder, "nan"),
    };
    const status = async (more: Partial<PredictionRun>) =>
      (await collect({ ...run, ...more })).cases[0]!.status;
    expect(await status({})).toBe("failed");
    expect(await status({ nonFinite: "zero", geometry: "qform" })).toBe("done");
  });

  test("what is there is complete only with its probabilities, where they are wanted", async () => {
    const run = { models: [oracle()], cases: [await id("p")], out: join(folder, "with"), skipFinished: true };
    const status = async (more: Partial<PredictionRun>) =>
      (await collect({ ...run, ...more })).cases.map((e) => e.status);
    expect(await status({})).toEqual(["done"]);
    expect(await status({ saveProbabilities: true })).toEqual(["done"]);
    expect(await status({ saveProbabilities: true })).toEqual(["current"]);
  });

  test("a label map never takes the place of its image, by whatever path", async () => {
    const { files } = await id("own");
    const before = readFileSync(files[0]!);
    const link = join(folder, "link");
    symlinkSync(dirname(files[0]!), link);
    const run = { models: [oracle()], cases: [{ id: basename(files[0]!, ".nii.gz"), files }], out: link };
    expect(await failure(() => collect(run))).toMatchObject({
      code: "ERR_VOXELSPARK_DATA",
      message: expect.stringMatching(/would replace its image .*; choose another output folder/),
    });
    expect(readFileSync(files[0]!)).toEqual(before);
  });

  test("an abort leaves nothing half-written and frees everything", async () => {
    const out = join(folder, "aborted");
    const controller = new AbortController();
    const models = [oracle({ patch: [6, 6, 6] })];
    const before = stats("cpu").liveBytes;
    const ends: unknown[] = [];
    const cases = [await id("a")];
    for await (const event of runPrediction({
      models,
      cases,
      out,
      signal: controller.signal,
      saveProbabilities: true,
    })) {
      if (event.type === "window" && event.done === 2) controller.abort();
      if (event.type === "end") ends.push(event.reason);
    }
    expect(ends).toEqual(["interrupted"]);
    expect(() => readdirSync(out)).toThrow(/ENOENT/);
    for await (const _ of runPrediction({ models, cases, out, saveProbabilities: true })) break;
    expect(() => readdirSync(out)).toThrow(/ENOENT/);
    expect(stats("cpu").liveBytes).toBe(before);
  });
});
