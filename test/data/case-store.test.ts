import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { listCases, StoredCase, writeCase } from "../../lib/data/case-store";
import { crc32c } from "../../lib/data/crc32c";
import { rng } from "../../lib/random";
import { properties } from "./made-case";
import { failure, temporaryFolder } from "./temp";

const folder = temporaryFolder();
type Triple = [number, number, number];

const noise = (n: number): Float32Array => rng(1, 0, "test", n).fillNormal(new Float32Array(n));

const sameBits = (a: ArrayLike<number>, b: ArrayLike<number>): boolean =>
  Buffer.from(Float32Array.from(a).buffer).equals(Buffer.from(Float32Array.from(b).buffer));

function crop(data: Float32Array, [, h, w]: Triple, start: Triple, size: Triple): number[] {
  const out: number[] = [];
  for (let z = 0; z < size[0]; z++)
    for (let y = 0; y < size[1]; y++)
      for (let x = 0; x < size[2]; x++)
        out.push(data[((z + start[0]) * h + y + start[1]) * w + x + start[2]]!);
  return out;
}

test("CRC-32C of known texts", () => {
  expect(crc32c(Buffer.from("123456789"))).toBe(0xe3069283);
  expect(crc32c(new Uint8Array(32))).toBe(0x8a9136aa);
  expect(crc32c(new Uint8Array(0))).toBe(0);
});

test("any box of any shape reads back exactly", async () => {
  for (const shape of [
    [33, 40, 70],
    [1, 5, 64],
    [32, 32, 32],
    [65, 3, 31],
  ] as Triple[]) {
    const id = shape.join("x");
    const data = noise(shape[0] * shape[1] * shape[2]);
    await writeCase(folder, data, properties(id, shape));
    const stored = await StoredCase.open(folder, id);
    expect(stored.properties).toEqual(properties(id, shape));
    expect(sameBits(await stored.read([0, 0, 0], shape), data)).toBe(true);
    const axis = (n: number) =>
      fc.tuple(fc.nat(n - 1), fc.nat(n - 1)).map(([a, b]) => [Math.min(a, b), Math.max(a, b) + 1]);
    await fc.assert(
      fc.asyncProperty(axis(shape[0]), axis(shape[1]), axis(shape[2]), async (...ranges) => {
        const start = ranges.map((r) => r[0]!) as Triple;
        const size = ranges.map((r) => r[1]! - r[0]!) as Triple;
        expect(sameBits(await stored.read(start, size), crop(data, shape, start, size))).toBe(true);
      }),
      { numRuns: 8 },
    );
  }
});

/** Background of −0.75 with one chunk of noise in the middle. */
function mostlyBackground(shape: Triple): Float32Array {
  const data = new Float32Array(shape[0] * shape[1] * shape[2]).fill(-0.7510001);
  const middle = (40 * shape[1] + 40) * shape[2];
  data.set(noise(20), middle + 40);
  return data;
}

test("chunks of background only take no space and read back", async () => {
  const shape: Triple = [96, 90, 96];
  const data = mostlyBackground(shape);
  await writeCase(folder, data, properties("sparse", shape));
  expect(statSync(join(folder, "sparse.zarr", "c/0/0/0/0")).size).toBeLessThan(1000);
  const stored = await StoredCase.open(folder, "sparse");
  expect(sameBits(await stored.read([0, 0, 0], shape), data)).toBe(true);
  expect(
    sameBits(await stored.read([30, 31, 32], [40, 20, 10]), crop(data, shape, [30, 31, 32], [40, 20, 10])),
  ).toBe(true);
  await writeCase(folder, new Float32Array(8).fill(3), properties("flat", [2, 2, 2]));
  expect([...(await (await StoredCase.open(folder, "flat")).read([0, 0, 0], [2, 2, 2]))]).toEqual(
    Array(8).fill(3),
  );
});

test("several channels", async () => {
  const shape: Triple = [10, 40, 12];
  const data = noise(2 * 4800);
  await writeCase(folder, data, properties("two", shape), 2);
  const stored = await StoredCase.open(folder, "two");
  expect([...(await stored.read([0, 0, 0], shape, 1))]).toEqual([...data.subarray(4800)]);
  expect((await failure(() => stored.read([0, 0, 0], shape, 2))).code).toBe("ERR_VOXELSPARK_SHAPE");
});

/** Reads the array at argv[1] with zarrita and writes its voxels to standard output. */
const ZARRITA = `
import { readFileSync } from "node:fs";
import * as zarr from "zarrita";
const file = (key) => { try { return new Uint8Array(readFileSync(process.argv[1] + key)); } catch { return undefined; } };
const store = {
  get: async (key) => file(key),
  getRange: async (key, range) => "suffixLength" in range
    ? file(key)?.slice(-range.suffixLength) : file(key)?.slice(range.offset, range.offset + range.length),
};
const array = await zarr.open.v3(zarr.root(store), { kind: "array" });
const { data, shape } = await zarr.get(array);
if (shape.join() !== process.argv[2]) throw new Error("shape " + shape);
process.stdout.write(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
`;

test.each([
  ["noise", [40, 33, 70] as Triple, noise(40 * 33 * 70)],
  ["mostly background", [70, 65, 96] as Triple, mostlyBackground([70, 65, 96])],
])("zarrita, an independent reader, sees the same array: %s", async (name, shape, data) => {
  await writeCase(folder, data, properties(name, shape));
  const bytes = execFileSync(
    process.execPath,
    ["--input-type=module", "-e", ZARRITA, join(folder, `${name}.zarr`), [1, ...shape].join()],
    { maxBuffer: 1e8, cwd: join(__dirname, "../..") },
  );
  expect(bytes.equals(Buffer.from(data.buffer))).toBe(true);
});

test("a flipped bit anywhere is an error that names the file and the cure", async () => {
  const shape: Triple = [20, 20, 20];
  await writeCase(
    folder,
    noise(8000).map((v) => Math.round(v)),
    properties("flip", shape),
  );
  for (const name of ["zarr.json", "c/0/0/0/0"]) {
    const path = join(folder, "flip.zarr", name);
    const good = readFileSync(path);
    const random = rng(3, 0, "test");
    for (let i = 0; i < 250; i++) {
      const bad = Buffer.from(good);
      const at = i < 40 ? good.length - 1 - i : random.int(good.length);
      bad[at]! ^= 1 << random.int(8);
      writeFileSync(path, bad);
      const outcome = await StoredCase.open(folder, "flip")
        .then((stored) => stored.verify())
        .then(
          () => undefined,
          (error) => error,
        );
      if (outcome === undefined && name === "zarr.json") {
        expect(JSON.parse(bad.toString())).toEqual(JSON.parse(good.toString())); // white space only
        continue;
      }
      expect(["ERR_VOXELSPARK_CHECKSUM", "ERR_VOXELSPARK_FORMAT"]).toContain(outcome.code);
      expect(outcome.message).toContain(path);
      expect(outcome.message).toMatch(/voxelspark preprocess/);
    }
    writeFileSync(path, good);
  }
  await (await StoredCase.open(folder, "flip")).verify();
});

test("a data file cut at any 97th byte is an error", async () => {
  const path = join(folder, "flip.zarr", "c/0/0/0/0");
  const good = readFileSync(path);
  for (let n = 0; n < good.length; n += 97) {
    writeFileSync(path, good.subarray(0, n));
    const stored = await StoredCase.open(folder, "flip");
    expect((await failure(() => stored.checkLayout())).code).toBe("ERR_VOXELSPARK_CHECKSUM");
  }
  writeFileSync(path, good);
});

test("boxes outside, unknown and unsafe ids, wrong sizes are refused; failed writes leave nothing", async () => {
  const stored = await StoredCase.open(folder, "flip");
  for (const [start, size] of [
    [
      [0, 0, 1],
      [20, 20, 20],
    ],
    [
      [-1, 0, 0],
      [1, 1, 1],
    ],
    [
      [0, 0, 0],
      [0, 1, 1],
    ],
  ] as [Triple, Triple][]) {
    expect((await failure(() => stored.read(start, size))).code).toBe("ERR_VOXELSPARK_SHAPE");
  }
  expect((await failure(() => StoredCase.open(folder, "none"))).code).toBe("ERR_VOXELSPARK_IO");
  expect((await failure(() => StoredCase.open(folder, "../flip"))).code).toBe("ERR_VOXELSPARK_DATA");
  const wrong = properties("wrong", [2, 2, 2]);
  expect((await failure(() => writeCase(folder, noise(9), wrong))).code).toBe("ERR_VOXELSPARK_SHAPE");
  expect(readdirSync(folder).filter((n) => n.startsWith(".") || n.startsWith("wrong"))).toEqual([]);
  expect(await listCases(folder)).toContain("flip");
  expect((await failure(() => listCases(join(folder, "flip.zarr")))).code).toBe("ERR_VOXELSPARK_EMPTY");
});
