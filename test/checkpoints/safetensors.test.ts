import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import fc from "fast-check";
import { openSafetensors, type TensorSource, writeSafetensors } from "../../lib/checkpoints/safetensors";

let folder: string;
let file: string;
beforeAll(() => {
  folder = mkdtempSync(path.join(os.tmpdir(), "safetensors-"));
  file = path.join(folder, "t.safetensors");
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** A file with this header and data; the length field can lie. */
function build(header: string | Buffer, data = Buffer.alloc(0), length?: bigint): Buffer {
  const json = Buffer.from(header as string);
  const size = Buffer.alloc(8);
  size.writeBigUInt64LE(length ?? BigInt(json.length));
  return Buffer.concat([size, json, data]);
}
const tensor = (dtype: string, shape: unknown, offsets: unknown) => ({ dtype, shape, data_offsets: offsets });
const header = (tensors: Record<string, unknown>) => JSON.stringify(tensors);
const F = (begin: number, end: number) => tensor("F32", [(end - begin) / 4], [begin, end]);

async function failure(content: Buffer): Promise<Error & { code: string }> {
  writeFileSync(file, content);
  return openSafetensors(file).then(
    async (opened) => {
      await opened.close();
      throw new Error(`accepted: ${JSON.stringify(opened.tensors)}`);
    },
    (error) => error,
  );
}

// The word expected is the reference implementation's name for the rule, or ours where it is stricter.
const ATTACKS: [string, Buffer, string][] = [
  ["empty file", Buffer.alloc(0), "HeaderTooSmall"],
  ["7 bytes", Buffer.alloc(7), "HeaderTooSmall"],
  ["length 0", build(""), "InvalidHeaderDeserialization"],
  ["length beyond the file", build("{}", Buffer.alloc(0), 3n), "InvalidHeaderLength"],
  ["length 100 MB + 1", build("{}", Buffer.alloc(0), 100_000_001n), "HeaderTooLarge"],
  ["length 2^64 - 1", build("{}", Buffer.alloc(0), 2n ** 64n - 1n), "HeaderTooLarge"],
  ["length 2^53 + 1", build("{}", Buffer.alloc(0), 2n ** 53n + 1n), "HeaderTooLarge"],
  ["not UTF-8", build(Buffer.from([0x7b, 0xff, 0x7d])), "InvalidHeaderDeserialization"],
  ["byte order mark", build("\ufeff{}"), "InvalidHeaderDeserialization"],
  ["leading space", build(" {}"), "InvalidHeaderDeserialization"],
  ["array", build("[]"), "InvalidHeaderDeserialization"],
  ["number", build("1"), "InvalidHeaderDeserialization"],
  ["cut JSON", build('{"a":'), "InvalidHeaderDeserialization"],
  ["two values", build("{}{}"), "InvalidHeaderDeserialization"],
  [
    "duplicate tensor",
    build(`{"a":${JSON.stringify(F(0, 4))},"a":${JSON.stringify(F(0, 4))}}`, Buffer.alloc(4)),
    "occurs twice",
  ],
  [
    "duplicate by escape",
    build(`{"a":${JSON.stringify(F(0, 4))},"\\u0061":${JSON.stringify(F(4, 8))}}`, Buffer.alloc(8)),
    "occurs twice",
  ],
  ["__proto__", build(`{"__proto__":${JSON.stringify(F(0, 4))}}`, Buffer.alloc(4)), "not allowed"],
  ["deep nesting", build(`{"a":${"[".repeat(50000)}${"]".repeat(50000)}}`), "InvalidHeaderDeserialization"],
  [
    "unknown dtype",
    build(header({ a: tensor("Q4", [1], [0, 4]) }), Buffer.alloc(4)),
    "InvalidHeaderDeserialization",
  ],
  [
    "inherited dtype",
    build(header({ a: tensor("toString", [1], [0, 4]) }), Buffer.alloc(4)),
    "InvalidHeaderDeserialization",
  ],
  [
    "no dtype",
    build(header({ a: { shape: [1], data_offsets: [0, 4] } }), Buffer.alloc(4)),
    "InvalidHeaderDeserialization",
  ],
  [
    "no shape",
    build(header({ a: { dtype: "F32", data_offsets: [0, 4] } }), Buffer.alloc(4)),
    "InvalidHeaderDeserialization",
  ],
  [
    "no offsets",
    build(header({ a: { dtype: "F32", shape: [1] } }), Buffer.alloc(4)),
    "InvalidHeaderDeserialization",
  ],
  ["tensor is null", build(header({ a: null })), "InvalidHeaderDeserialization"],
  [
    "negative size",
    build(header({ a: tensor("F32", [-1], [0, 4]) }), Buffer.alloc(4)),
    "InvalidHeaderDeserialization",
  ],
  [
    "fraction in shape",
    build(header({ a: tensor("F32", [1.5], [0, 6]) }), Buffer.alloc(6)),
    "InvalidHeaderDeserialization",
  ],
  [
    "1.0 in shape",
    build('{"a":{"dtype":"F32","shape":[1.0],"data_offsets":[0,4]}}', Buffer.alloc(4)),
    "not a whole number",
  ],
  [
    "exponent in offsets",
    build('{"a":{"dtype":"F32","shape":[10],"data_offsets":[0,4e1]}}', Buffer.alloc(40)),
    "not a whole number",
  ],
  [
    "-0 in offsets",
    build('{"a":{"dtype":"F32","shape":[1],"data_offsets":[-0,4]}}', Buffer.alloc(4)),
    "not a whole number",
  ],
  [
    "text as size",
    build(header({ a: tensor("F32", ["1"], [0, 4]) }), Buffer.alloc(4)),
    "InvalidHeaderDeserialization",
  ],
  [
    "three offsets",
    build(header({ a: tensor("F32", [1], [0, 4, 4]) }), Buffer.alloc(4)),
    "InvalidHeaderDeserialization",
  ],
  ["negative offset", build(header({ a: tensor("F32", [1], [-4, 0]) })), "InvalidHeaderDeserialization"],
  ["reversed offsets", build(header({ a: tensor("F32", [0], [4, 0]) }), Buffer.alloc(4)), "InvalidOffset"],
  ["gap at the start", build(header({ a: F(4, 8) }), Buffer.alloc(8)), "InvalidOffset"],
  ["gap between", build(header({ a: F(0, 4), b: F(8, 12) }), Buffer.alloc(12)), "InvalidOffset"],
  ["overlap", build(header({ a: F(0, 8), b: F(4, 12) }), Buffer.alloc(12)), "InvalidOffset"],
  ["same bytes twice", build(header({ a: F(0, 8), b: F(0, 8) }), Buffer.alloc(8)), "InvalidOffset"],
  [
    "shape larger than span",
    build(header({ a: tensor("F32", [2], [0, 4]) }), Buffer.alloc(4)),
    "TensorInvalidInfo",
  ],
  [
    "shape smaller than span",
    build(header({ a: tensor("F32", [1], [0, 8]) }), Buffer.alloc(8)),
    "TensorInvalidInfo",
  ],
  [
    "overflowing shape",
    build(header({ a: tensor("F32", [2 ** 30, 2 ** 30], [0, 4]) }), Buffer.alloc(4)),
    "ValidationOverflow",
  ],
  ["wrapping shape", build(header({ a: tensor("F32", [2 ** 32, 2 ** 32], [0, 0]) })), "ValidationOverflow"],
  ["half a byte", build(header({ a: tensor("F4", [1], [0, 1]) }), Buffer.alloc(1)), "MisalignedSlice"],
  ["trailing byte", build(header({ a: F(0, 4) }), Buffer.alloc(5)), "MetadataIncompleteBuffer"],
  ["cut data", build(header({ a: F(0, 4) }), Buffer.alloc(3)), "MetadataIncompleteBuffer"],
  ["data without tensors", build("{}", Buffer.alloc(1)), "MetadataIncompleteBuffer"],
  ["metadata is a list", build('{"__metadata__":[]}'), "InvalidHeaderDeserialization"],
  ["metadata of a number", build('{"__metadata__":{"a":1}}'), "InvalidHeaderDeserialization"],
];

describe("what is refused", () => {
  test.each(ATTACKS)("%s", async (_, content, expected) => {
    const error = await failure(content);
    expect(error.code).toBe("ERR_VOXELSPARK_CHECKPOINT");
    expect(error.message).toContain(file);
    expect(error.message).toContain(expected);
  });

  test("every cut of a good file and a byte too many", async () => {
    await writeSafetensors(file, [
      { name: "a", shape: [2, 3], data: () => new Float32Array(6) },
      { name: "b", shape: [5], dtype: "U8", data: () => new Uint8Array(5) },
    ]);
    const good = readFileSync(file);
    for (let length = 0; length < good.length; length++) {
      expect((await failure(good.subarray(0, length))).code).toBe("ERR_VOXELSPARK_CHECKPOINT");
    }
    expect((await failure(Buffer.concat([good, Buffer.alloc(1)]))).message).toContain(
      "MetadataIncompleteBuffer",
    );
  });

  test("random damage of the header never crashes and never yields a tensor beyond the file", async () => {
    await writeSafetensors(file, [
      { name: "a", shape: [2, 3], data: () => new Float32Array(6) },
      { name: "b", shape: [5], dtype: "U8", data: () => new Uint8Array(5) },
    ]);
    const good = readFileSync(file);
    const edit = fc.tuple(fc.nat(good.length - 1), fc.nat(255));
    await fc.assert(
      fc.asyncProperty(fc.array(edit, { minLength: 1, maxLength: 4 }), async (edits) => {
        const broken = Buffer.from(good);
        for (const [at, value] of edits) broken[at] = value;
        writeFileSync(file, broken);
        const opened = await openSafetensors(file).catch((error) => {
          expect(error.code).toBe("ERR_VOXELSPARK_CHECKPOINT");
        });
        if (opened === undefined) return;
        for (const { name } of opened.tensors) await opened.readBytes(name);
        await opened.close();
      }),
      { numRuns: 500, seed: 7 },
    );
  });
});

describe("what is accepted", () => {
  test("a file of the reference writer, every dtype read to float32", async () => {
    const reference =
      "iAEAAAAAAAB7Il9fbWV0YWRhdGFfXyI6eyJ3aG8iOiJyZWZlcmVuY2UifSwiZC5mNjQiOnsiZHR5cGUiOiJGNjQiLCJzaGFwZSI6WzFdLCJkYXRhX29mZnNldHMiOlswLDhdfSwiYS5mMzIiOnsiZHR5cGUiOiJGMzIiLCJzaGFwZSI6WzNdLCJkYXRhX29mZnNldHMiOls4LDIwXX0sImYuc2NhbGFyIjp7ImR0eXBlIjoiRjMyIiwic2hhcGUiOltdLCJkYXRhX29mZnNldHMiOlsyMCwyNF19LCJjLmJmMTYiOnsiZHR5cGUiOiJCRjE2Iiwic2hhcGUiOlsyXSwiZGF0YV9vZmZzZXRzIjpbMjQsMjhdfSwiYi5mMTYiOnsiZHR5cGUiOiJGMTYiLCJzaGFwZSI6WzIsMl0sImRhdGFfb2Zmc2V0cyI6WzI4LDM2XX0sImUudTgiOnsiZHR5cGUiOiJVOCIsInNoYXBlIjpbMF0sImRhdGFfb2Zmc2V0cyI6WzM2LDM2XX19IAAAAAAAAApAzczMPQAAQMAAAIB/AADgQMA/AMAAPADB/3sBAA==";
    writeFileSync(file, Buffer.from(reference, "base64"));
    await using opened = await openSafetensors(file);
    expect(opened.metadata).toEqual({ who: "reference" });
    expect(opened.entry("b.f16")).toEqual({ name: "b.f16", dtype: "F16", shape: [2, 2] });
    expect(await opened.readFloat32("a.f32")).toEqual(new Float32Array([0.1, -3, Number.POSITIVE_INFINITY]));
    expect(await opened.readFloat32("b.f16")).toEqual(new Float32Array([1, -2.5, 65504, 2 ** -24]));
    expect(await opened.readFloat32("c.bf16")).toEqual(new Float32Array([1.5, -2]));
    expect(await opened.readFloat32("d.f64")).toEqual(new Float32Array([3.25]));
    expect(await opened.readFloat32("f.scalar")).toEqual(new Float32Array([7]));
    expect(await opened.readBytes("e.u8")).toEqual(new Uint8Array(0));
    await expect(opened.readFloat32("e.u8")).rejects.toThrow(
      "tensor e.u8 has dtype U8, readable as float32 are",
    );
    await expect(opened.readFloat32("none")).rejects.toThrow('there is no tensor "none" among its 6 tensors');
  });

  test.each([
    ["nothing", build("{}")],
    ["padding", build("{}     ")],
    ["empty tensors at one offset", build(header({ a: F(0, 0), b: tensor("F64", [3, 0], [0, 0]) }))],
    ["offsets in another order than names", build(header({ b: F(4, 8), a: F(0, 4) }), Buffer.alloc(8))],
    ["6-bit numbers in whole bytes", build(header({ a: tensor("F6_E2M3", [4], [0, 3]) }), Buffer.alloc(3))],
  ])("%s", async (_, content) => {
    writeFileSync(file, content);
    await (await openSafetensors(file)).close();
  });

  test("a source that breaks its word leaves the older file", async () => {
    writeFileSync(file, "older");
    const source = { name: "a", shape: [3], data: () => new Float32Array(2) };
    await expect(writeSafetensors(file, [source])).rejects.toThrow(/delivered Float32Array of 2 elements/);
    expect(readFileSync(file, "utf8")).toBe("older");
  });

  test("write, read back: names, shapes and bits of any tensors", async () => {
    const one = fc.record({
      shape: fc.array(fc.nat(4), { maxLength: 5 }),
      dtype: fc.constantFrom("F32" as const, "F64" as const, "I32" as const, "U8" as const),
    });
    const many = fc.dictionary(
      fc.string({ unit: "binary" }).filter((n) => !n.startsWith("__")),
      one,
      { maxKeys: 8 },
    );
    const metadata = fc.dictionary(
      fc.string().filter((n) => n !== "__proto__"),
      fc.string(),
      { maxKeys: 3 },
    );
    await fc.assert(
      fc.asyncProperty(many, metadata, fc.infiniteStream(fc.nat(255)), async (tensors, meta, bytes) => {
        const types = { F32: Float32Array, F64: Float64Array, I32: Int32Array, U8: Uint8Array };
        const sources: (TensorSource & { raw: Uint8Array })[] = Object.entries(tensors).map(([name, t]) => {
          const size = t.shape.reduce((a, b) => a * b, 1) * types[t.dtype].BYTES_PER_ELEMENT;
          const raw = Uint8Array.from({ length: size }, () => bytes.next().value);
          return { name, ...t, raw, data: async () => new types[t.dtype](raw.buffer) };
        });
        await writeSafetensors(file, sources, meta);
        expect(readFileSync(file).readBigUInt64LE() % 8n).toBe(0n);
        await using opened = await openSafetensors(file);
        expect(opened.tensors.map((t) => t.name).sort()).toEqual(Object.keys(tensors).sort());
        expect({ ...opened.metadata }).toEqual({ ...meta });
        for (const { name, dtype, shape, raw } of sources) {
          expect(opened.entry(name)).toEqual({ name, dtype, shape });
          expect(await opened.readBytes(name)).toEqual(raw);
        }
      }),
      { numRuns: 120, seed: 3 },
    );
  });
});

describe("the writer refuses", () => {
  const good = { name: "a", shape: [2], data: () => new Float32Array(2) };
  test.each<[string, TensorSource[], string]>([
    ["two of a name", [good, good], 'the tensor name "a" is reserved or used twice'],
    ["the metadata's name", [{ ...good, name: "__metadata__" }], "is reserved"],
    ["a negative size", [{ ...good, shape: [-1] }], "has shape [-1]"],
    [
      "too few elements",
      [{ ...good, shape: [3] }],
      "delivered Float32Array of 2 elements, announced 3 of F32",
    ],
    ["another type", [{ ...good, data: () => new Float64Array(2) }], "delivered Float64Array of 2 elements"],
    [
      "no array",
      [{ ...good, data: () => null as unknown as Float32Array }],
      "delivered Null of undefined elements",
    ],
  ])("%s", async (_, sources, expected) => {
    await expect(writeSafetensors(file, sources)).rejects.toMatchObject({
      code: "ERR_VOXELSPARK_CHECKPOINT",
      message: expect.stringContaining(expected),
    });
  });
});
