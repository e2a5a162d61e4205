import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Batch, type LoaderOptions, PatchLoader } from "../../lib/data/loader";
import { phantom } from "../../lib/data/phantoms";
import { stats, tensor } from "../../lib/tensor";
import { madeCase } from "./made-case";
import { failure, temporaryFolder } from "./temp";

const folder = temporaryFolder();
type Triple = [number, number, number];
const ids = ["a", "b", "c"];

beforeAll(async () => {
  const shapes: Triple[] = [
    [40, 36, 30],
    [20, 50, 41],
    [33, 33, 33],
  ];
  for (const [i, shape] of shapes.entries()) {
    const data = phantom(i, { shape, seed: 4 }).image.map((v) => v / 100 - 1);
    await madeCase(folder, ids[i]!, data, shape);
  }
});

const base: LoaderOptions = {
  folder,
  cases: ids,
  patch: [16, 16, 16],
  batch: 3,
  seed: 7,
  workers: 0,
  endStep: 5,
  augmentation: {
    rotation: { probability: 0.5, degrees: 30 },
    scaling: { probability: 0.5, range: [0.7, 1.4] },
    mirroring: { probability: 0.5, axes: [0, 1, 2] },
    interpolation: "cubic",
  },
};

async function all(options: Partial<LoaderOptions>): Promise<Batch[]> {
  const loader = new PatchLoader({ ...base, ...options });
  const batches: Batch[] = [];
  for await (const batch of loader) batches.push(batch);
  await loader.close();
  return batches;
}

/** What tests must reach of a loader's private parts. */
const inside = (loader: PatchLoader) =>
  (
    loader as unknown as {
      loader: { nextRequest: number; threads: { worker: { terminate(): Promise<number> } }[] };
    }
  ).loader;

const bits = (b: Batch): string =>
  Buffer.from(b.data.buffer, b.data.byteOffset, b.data.byteLength).toString("hex");

describe("the same bits", () => {
  let inline: Batch[];
  let before: number; // test files of one process share the addon
  beforeAll(async () => {
    before = stats().liveTensors;
    inline = await all({});
  });

  test("batches have steps, shapes, cases and a waiting time", () => {
    expect(inline.map((b) => b.step)).toEqual([0, 1, 2, 3, 4]);
    for (const batch of inline) {
      expect(batch.shape).toEqual([3, 1, 16, 16, 16]);
      expect(batch.data).toHaveLength(3 * 4096);
      expect(batch.cases.every((id) => ids.includes(id))).toBe(true);
      expect(batch.waitSeconds).toBeGreaterThan(0);
      expect(batch.data.every(Number.isFinite)).toBe(true);
    }
    expect(new Set(inline.map(bits)).size).toBe(5);
    expect(stats().liveTensors).toBe(before);
  });

  test.each([1, 4])("with %i workers", async (workers) => {
    const batches = await all({ workers, prefetch: 3 });
    expect(batches.map((b) => b.cases)).toEqual(inline.map((b) => b.cases));
    expect(batches.map(bits)).toEqual(inline.map(bits));
  });

  test("a batch from workers, in shared memory, becomes a tensor", async () => {
    const loader = new PatchLoader({ ...base, workers: 1 });
    const batch = (await loader.next())!;
    const t = tensor(batch.data, batch.shape);
    expect(await t.data()).toEqual(inline[0]!.data);
    t.dispose();
    await loader.close();
  });

  test("from any first step", async () => {
    const late = await all({ firstStep: 3 });
    expect(late.map(bits)).toEqual(inline.slice(3).map(bits));
  });

  test("another seed gives other patches", async () => {
    expect(bits((await all({ seed: 8, endStep: 1 }))[0]!)).not.toBe(bits(inline[0]!));
  });
});

test("workers stop at the prefetch limit until the consumer takes a batch", async () => {
  const loader = new PatchLoader({ ...base, workers: 1, prefetch: 2, endStep: 100 });
  await loader.next();
  await new Promise((resolve) => setTimeout(resolve, 300));
  expect(inside(loader).nextRequest).toBe(3);
  expect((await loader.next())!.waitSeconds).toBeLessThan(0.5); // was ready
  await loader.close();
});

describe.each([0, 1])("failures with %i workers", (workers) => {
  test("a damaged case is named", async () => {
    const path = join(folder, "b.zarr", "c/0/0/0/0");
    const good = readFileSync(path);
    const bad = Buffer.from(good);
    for (let i = 8; i < bad.length - 200; i += 50) bad[i]! ^= 1;
    writeFileSync(path, bad);
    const loader = new PatchLoader({ ...base, cases: ["b"], workers });
    const error = await failure(() => loader.next());
    writeFileSync(path, good);
    expect(error.code).toBe("ERR_VOXELSPARK_WORKER");
    expect(error.message).toMatch(/step 0, case b: .*b\.zarr.*is damaged/);
    expect((await failure(() => loader.next())).message).toBe(error.message);
    await loader.close();
  });

  test("a missing case and wrong channels are named", async () => {
    const missing = new PatchLoader({ ...base, cases: ["gone"], workers });
    expect((await failure(() => missing.next())).message).toMatch(/case gone: Cannot read .*gone\.zarr/);
    await missing.close();
    const channels = new PatchLoader({ ...base, channels: 2, workers });
    expect((await failure(() => channels.next())).message).toMatch(/1 channels, 2 are expected/);
    await channels.close();
  });

  test("a closed loader says so", async () => {
    const loader = new PatchLoader({ ...base, workers });
    await loader.close();
    await loader.close();
    expect((await failure(() => loader.next())).message).toBe("The loader is closed.");
  });
});

test("a worker that dies ends the wait and names its case", async () => {
  const loader = new PatchLoader({ ...base, workers: 1, endStep: 1000 });
  await loader.next();
  const { threads } = inside(loader);
  const start = performance.now();
  const waiting = failure(async () => {
    for (;;) await loader.next();
  });
  await threads[0]!.worker.terminate();
  const error = await waiting;
  expect(error.code).toBe("ERR_VOXELSPARK_WORKER");
  expect(error.message).toMatch(/worker 0 died .* case [abc]/);
  expect(performance.now() - start).toBeLessThan(5000);
  await loader.close();
});

test("closing while a batch is awaited rejects that wait", async () => {
  const loader = new PatchLoader({ ...base, workers: 1 });
  const waiting = failure(() => loader.next());
  await loader.close();
  expect((await waiting).message).toMatch(/closed while a batch was awaited/);
});

test("impossible options are refused", () => {
  expect(() => new PatchLoader({ ...base, batch: 0 })).toThrow(
    /batch must be a whole number from 1 on, found 0/,
  );
  expect(() => new PatchLoader({ ...base, workers: -1 })).toThrow(/workers/);
  expect(() => new PatchLoader({ ...base, cases: [] })).toThrow(/at least one/);
});
