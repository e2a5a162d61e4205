import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import fc from "fast-check";
import { decodeNifti, readNifti, readNiftiHeader } from "../../lib/data/nifti";
import { rng } from "../../lib/random";
import { failure, temporaryFolder } from "./temp";

const temporary = temporaryFolder();
const FIXTURES = join(__dirname, "../golden/nifti");
interface Golden {
  affine: number[];
  zooms: number[];
  orientation: string;
  shape: number[];
  data: number[];
}
const golden: Record<string, Golden> = JSON.parse(readFileSync(join(FIXTURES, "golden.json"), "utf8"));
const fixture = (name: string): Uint8Array => new Uint8Array(readFileSync(join(FIXTURES, name)));

describe("files written by nibabel", () => {
  test.each(Object.keys(golden))("%s reads as nibabel reads it", async (name) => {
    const expected = golden[name]!;
    const volume = await readNifti(join(FIXTURES, name));
    expect(volume.shape).toEqual(expected.shape.slice(0, 3).reverse());
    expect([...volume.data]).toEqual(expected.data);
    const worst = Math.max(...volume.geometry.affine.map((v, i) => Math.abs(v - expected.affine[i]!)));
    expect(worst).toBeLessThan(1e-5);
    expect(volume.geometry.orientation).toBe(expected.orientation);
    expected.zooms.slice(0, 3).forEach((z, i) => {
      expect(volume.geometry.spacing[i]).toBeCloseTo(z, 4);
    });
  });

  test("big-endian and little-endian twins are equal", async () => {
    for (const version of ["v1", "v2"]) {
      const le = await readNifti(join(FIXTURES, `${version}_le_i2.nii`));
      const be = await readNifti(join(FIXTURES, `${version}_be_i2.nii`));
      expect([...be.data]).toEqual([...le.data]);
      expect(be.geometry).toEqual(le.geometry);
    }
  });

  test("without forms there is a warning", async () => {
    const volume = await readNifti(join(FIXTURES, "no_form.nii"));
    expect(volume.geometry.source).toBe("pixdim");
    expect(volume.warnings[0]).toMatch(/neither sform nor qform/);
  });

  test("4-D, RGB and complex images are refused with a cure", async () => {
    const four = await failure(() => readNifti(join(FIXTURES, "four_d.nii")));
    expect(four).toMatchObject({ code: "ERR_VOXELSPARK_UNSUPPORTED" });
    expect(four.message).toMatch(/four_d\.nii.*\(3, 4, 5, 4\).*_0000 … _0003/);
    expect((await failure(() => readNifti(join(FIXTURES, "rgb.nii")))).message).toMatch(/RGB24/);
    expect((await failure(() => readNifti(join(FIXTURES, "complex.nii")))).message).toMatch(
      /complex64.*magnitude/,
    );
  });
});

/** One good header, one field changed: [name, byte offset, writer, value, expected code, expected text]. */
type Kind = "i8" | "i16" | "i32" | "f32";
const F = "ERR_VOXELSPARK_FORMAT";
const G = "ERR_VOXELSPARK_GEOMETRY";
const U = "ERR_VOXELSPARK_UNSUPPORTED";
const T = "ERR_VOXELSPARK_TRUNCATED";
const L = "ERR_VOXELSPARK_TOO_LARGE";
const MUTATIONS: [string, number, Kind, number[], string, RegExp][] = [
  ["sizeof_hdr", 0, "i32", [347], F, /sizeof_hdr is 347/],
  ["magic", 344, "i8", [0x78], F, /magic/],
  ["magic of a pair", 344, "i8", [0x6e, 0x69], U, /pair/],
  ["dim[0] = 0", 40, "i16", [0], F, /dim\[0\] is 0/],
  ["dim[0] = 8", 40, "i16", [8], F, /dim\[0\] is 8/],
  ["dim[0] = -1", 40, "i16", [-1], F, /dim\[0\] is -1/],
  ["2-D", 40, "i16", [2], U, /2-D/],
  ["dim[1] = 0", 42, "i16", [0], F, /dim\[1\] is 0/],
  ["dim[2] < 0", 44, "i16", [-4], F, /dim\[2\] is -4/],
  ["too many voxels", 42, "i16", [32767, 32767, 32767], L, /allowed are 2147483648/],
  ["5-D of 32767", 40, "i16", [7, 32767, 32767, 32767, 32767, 32767, 32767, 32767], U, /7-D/],
  ["18 GB from a small file", 42, "i16", [1290, 1290, 1290], T, /expected/],
  ["unknown datatype", 70, "i16", [3], F, /datatype is 3/],
  ["binary datatype", 70, "i16", [1], U, /binary/],
  ["float128", 70, "i16", [1536], U, /float128/],
  ["bitpix", 72, "i16", [8], F, /bitpix is 8/],
  ["vox_offset NaN", 108, "f32", [Number.NaN], F, /vox_offset is NaN/],
  ["vox_offset inf", 108, "f32", [Infinity], F, /vox_offset/],
  ["vox_offset negative", 108, "f32", [-352], F, /vox_offset/],
  ["vox_offset 0", 108, "f32", [0], F, /vox_offset is 0/],
  ["vox_offset 351", 108, "f32", [351], F, /from 352/],
  ["vox_offset fraction", 108, "f32", [352.5], F, /whole number/],
  ["vox_offset behind the file", 108, "f32", [1e6], T, /expected/],
  ["pixdim 0", 80, "f32", [0], G, /pixdim/],
  ["pixdim negative", 84, "f32", [-1], G, /pixdim/],
  ["pixdim NaN", 88, "f32", [Number.NaN], G, /NaN/],
  ["pixdim inf", 80, "f32", [Infinity], G, /pixdim/],
  ["pixdim 1000", 80, "f32", [1000], G, /0\.01 to 100/],
  ["qform_code", 252, "i16", [9], G, /qform_code is 9/],
  ["sform_code", 254, "i16", [-2], G, /sform_code is -2/],
  ["quaternion too long", 256, "f32", [0.9, 0.9, 0.9], G, /quaternion/],
  ["quaternion NaN", 256, "f32", [Number.NaN], G, /quaternion/],
  ["sform NaN", 280, "f32", [Number.NaN], G, /non-finite/],
  ["sform singular", 280, "f32", [1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 1, 0], G, /singular/],
  ["sform of zeros", 280, "f32", [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], G, /singular/],
  ["sform sheared", 280, "f32", [1, 0.2, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0], G, /sheared by 0\.197/],
  ["forms disagree in place", 268, "f32", [99], G, /--geometry sform or --geometry qform/],
  ["forms disagree in direction", 256, "f32", [0, 0, 0], G, /disagree/],
  ["slope with NaN intercept", 112, "f32", [2, Number.NaN], F, /scl_inter is NaN/],
];

function mutate(bytes: Uint8Array, at: number, kind: Kind, values: number[]): Uint8Array {
  const copy = bytes.slice();
  const view = new DataView(copy.buffer);
  values.forEach((value, i) => {
    if (kind === "i8") view.setInt8(at + i, value);
    if (kind === "i16") view.setInt16(at + i * 2, value, true);
    if (kind === "i32") view.setInt32(at + i * 4, value, true);
    if (kind === "f32") view.setFloat32(at + i * 4, value, true);
  });
  return copy;
}

describe("single-field mutations", () => {
  const good = fixture("v1_le_i2.nii");
  test.each(MUTATIONS)("%s", async (_name, at, kind, values, code, text) => {
    const error = await failure(() => decodeNifti(mutate(good, at, kind, values), "image.nii"));
    expect(error.code).toBe(code);
    expect(error.message).toMatch(text);
    expect(error.message).toContain("image.nii");
  });

  const PIXDIM = 80;
  const QUATERNION = 256;
  const SROW = 280;
  const qformOff = (bytes: Uint8Array) => mutate(bytes, 252, "i16", [0]);
  const sheared = [1, 0.2, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0];
  const negative = mutate(good, PIXDIM, "f32", [-1, -1, 0]);

  test.each([
    ["pixdim", negative],
    ["the quaternion", mutate(good, QUATERNION, "f32", [0.9, 0.9, 0.9])],
  ])("an sform that is asked for does not need %s", async (_, bytes) => {
    const { geometry } = await decodeNifti(good, "a.nii");
    const refused = await failure(() => decodeNifti(bytes, "a.nii"));
    expect(refused.message).toMatch(/To take the sform: --geometry sform\.$/);
    expect((await decodeNifti(bytes, "a.nii", { geometry: "sform" })).geometry).toEqual(geometry);
    expect((await failure(() => decodeNifti(bytes, "a.nii", { geometry: "qform" }))).code).toBe(G);
  });

  test("an sform alone does not need pixdim, but says that it differs", async () => {
    const { geometry, warnings } = await decodeNifti(qformOff(negative), "a.nii");
    expect(geometry).toEqual((await decodeNifti(good, "a.nii")).geometry);
    expect(warnings).toEqual([
      expect.stringMatching(/pixdim is \[-1, -1, 0\] mm, the sform's spacing of .* is taken/),
    ]);
    expect((await decodeNifti(qformOff(good), "a.nii")).warnings).toEqual([]);
  });

  test("beside an unfit sform the qform can be taken", async () => {
    const bytes = mutate(good, SROW, "f32", sheared);
    const refused = await failure(() => decodeNifti(bytes, "a.nii"));
    expect(refused.message).toMatch(/sheared by .* To take the qform: --geometry qform\.$/);
    expect((await decodeNifti(bytes, "a.nii", { geometry: "qform" })).geometry.source).toBe("qform");
    const neither = mutate(bytes, PIXDIM, "f32", [-1]);
    expect((await failure(() => decodeNifti(neither, "a.nii"))).message).not.toMatch(/--geometry/);
  });

  test("a unit other than millimetres is told", async () => {
    const { warnings } = await decodeNifti(mutate(good, 123, "i8", [3]), "a.nii");
    expect(warnings).toEqual([
      expect.stringMatching(/a\.nii: its header says micrometres .* taken as millimetres/),
    ]);
  });

  test.each([
    ["slope 0", [0, 5]],
    ["slope NaN", [Number.NaN, 5]],
    ["slope inf", [Infinity, Number.NaN]],
  ])("%s means no scaling", async (_name, values) => {
    const plain = await decodeNifti(good, "plain");
    const volume = await decodeNifti(mutate(good, 112, "f32", values), "slope");
    expect([...volume.data]).toEqual([...plain.data]);
  });

  test("qfac counts by its sign only", async () => {
    const twin = await decodeNifti(mutate(good, 76, "f32", [-2.5]), "qfac");
    expect(twin.geometry).toEqual((await decodeNifti(good, "good")).geometry);
  });

  test("forms of different spaces may disagree, with a warning", async () => {
    const moved = mutate(mutate(good, 268, "f32", [99]), 254, "i16", [4]);
    const { geometry, warnings } = await decodeNifti(moved, "m");
    expect(geometry.affine[3]).toBe(12.5);
    expect(warnings[0]).toMatch(/codes 4 and 1, the sform is taken/);
  });

  test("a choice of form ends a disagreement", async () => {
    const moved = mutate(good, 268, "f32", [99]);
    expect((await decodeNifti(moved, "m", { geometry: "qform" })).geometry.affine[3]).toBe(99);
    expect((await decodeNifti(moved, "m", { geometry: "sform" })).geometry.affine[3]).toBe(12.5);
  });
});

describe("damaged files", () => {
  const plain = fixture("v1_le_f4.nii");
  const packed = new Uint8Array(gzipSync(plain, { level: 9 }));

  test("a .nii cut at any byte is an error, never a short array", async () => {
    for (let n = 0; n < plain.length; n++) {
      expect((await failure(() => decodeNifti(plain.subarray(0, n), "cut.nii"))).code).toBe(T);
    }
  });

  test("a .nii.gz cut at any byte is an error within 50 ms", async () => {
    const times: number[] = [];
    for (let n = 3; n < packed.length; n++) {
      const start = performance.now();
      expect((await failure(() => decodeNifti(packed.subarray(0, n), "cut.nii.gz"))).code).toBe(T);
      times.push(performance.now() - start);
    }
    times.sort((a, b) => a - b);
    expect(times[times.length >> 1]).toBeLessThan(50); // the median: any one may have waited for a processor
    expect(times.at(-1)).toBeLessThan(5000);
  });

  test("a 40 kB .nii.gz cut at every 41st byte", async () => {
    const voxels = rng(9, 0, "test").fillNormal(new Float32Array(10000));
    const large = new Uint8Array(plain.subarray(0, 352));
    const header = mutate(large, 42, "i16", [20, 20, 25]);
    const file = gzipSync(Buffer.concat([header, new Uint8Array(voxels.buffer)]));
    expect(file.length).toBeGreaterThan(35000);
    expect((await decodeNifti(file, "whole.nii.gz")).data).toEqual(voxels);
    for (let n = 2; n < file.length; n += 41) {
      expect((await failure(() => decodeNifti(file.subarray(0, n), "cut.nii.gz"))).code).toBe(T);
    }
  });

  test("a FIFO is refused without waiting for a writer", async () => {
    const pipe = join(temporary, "pipe.nii");
    execFileSync("mkfifo", [pipe]);
    expect((await failure(() => readNifti(pipe))).message).toMatch(/is a FIFO/);
    expect((await failure(() => readNiftiHeader(pipe))).message).toMatch(/is a FIFO/);
  });

  test("a wrong byte in the gzip trailer is an error", async () => {
    for (let i = 1; i <= 8; i++) {
      const copy = packed.slice();
      copy[copy.length - i]! ^= 0xff;
      const error = await failure(() => decodeNifti(copy, "crc.nii.gz"));
      expect(error.code).toBe(F);
      expect(error.message).toMatch(/crc\.nii\.gz is damaged/);
    }
  });

  test.each([512, 3 << 20])("%d zeros behind the gzip stream are padding", async (count) => {
    const path = join(temporary, "padded.nii.gz");
    writeFileSync(path, Buffer.concat([packed, Buffer.alloc(count)]));
    expect((await readNifti(path)).data).toEqual((await decodeNifti(plain, "plain.nii")).data);
    expect((await readNiftiHeader(path)).header.shape).toEqual([3, 4, 5]);
  });

  test.each([2, 7, 3 << 20])("%d other bytes behind the gzip stream are an error", async (count) => {
    const path = join(temporary, "behind.nii.gz");
    writeFileSync(path, Buffer.concat([packed, Buffer.alloc(count, "garbage")]));
    for (const read of [readNifti, readNiftiHeader]) {
      const error = await failure(() => read(path));
      expect(error.code).toBe(F);
      expect(error.message).toMatch(
        /behind\.nii\.gz is damaged: behind its gzip stream, .* neither gzip nor zeros/,
      );
    }
  });

  test("so is a single one, unless another member could begin with it", async () => {
    const path = join(temporary, "single.nii.gz");
    const code = async (byte: number) => {
      writeFileSync(path, Buffer.concat([packed, Buffer.of(byte)]));
      const fromMemory = await failure(() => decodeNifti(readFileSync(path), "single.nii.gz"));
      const fromDisk = await failure(() => readNifti(path));
      expect(fromDisk.code).toBe(fromMemory.code);
      return fromDisk.code;
    };
    expect(await code(65)).toBe(F);
    expect(await code(0x1f)).toBe(T);
  });

  test("a header may be spread over members of the gzip file", async () => {
    const path = join(temporary, "spread.nii.gz");
    writeFileSync(path, Buffer.concat([gzipSync(plain.subarray(0, 100)), gzipSync(plain.subarray(100))]));
    expect((await readNiftiHeader(path)).header.shape).toEqual([3, 4, 5]);
    expect((await readNifti(path)).data).toEqual((await decodeNifti(plain, "plain.nii")).data);
  });

  test("a gzip bomb stops right behind the voxels", async () => {
    const bomb = gzipSync(Buffer.concat([plain, Buffer.alloc(64 << 20)]), { level: 1 });
    const before = process.memoryUsage().arrayBuffers;
    const error = await failure(() => decodeNifti(bomb, "bomb.nii.gz"));
    expect(error.code).toBe(L);
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(64 << 20);
  });

  test("an empty file and a text file are no NIfTI", async () => {
    expect((await failure(() => decodeNifti(new Uint8Array(0), "e.nii"))).code).toBe(T);
    expect((await failure(() => decodeNifti(Buffer.from("a".repeat(600)), "t.nii"))).code).toBe(F);
  });

  test("a missing file and a folder are named", async () => {
    const missing = await failure(() => readNifti("/nowhere/x.nii"));
    expect(missing.code).toBe("ERR_VOXELSPARK_IO");
    expect(missing.message).toMatch(/^Cannot read \/nowhere\/x\.nii: ENOENT/);
    expect((await failure(() => readNifti(FIXTURES))).message).toMatch(/is a folder/);
  });
});

// A file whose size is known and whose bytes the system cannot read, as of a failing disk.
(process.platform === "linux" ? test : test.skip)("a read error names the file", async () => {
  const error = await failure(() => readNifti("/proc/self/mem"));
  expect(error).toMatchObject({
    code: "ERR_VOXELSPARK_IO",
    message: expect.stringMatching(/\/proc\/self\/mem/),
  });
});

describe("non-finite voxels", () => {
  const good = fixture("v1_le_f4.nii");
  test.each([
    ["first", [0], "(0, 0, 0)"],
    ["middle", [31], "(1, 2, 2)"],
    ["last", [59], "(2, 3, 4)"],
    ["all", Array.from({ length: 60 }, (_, i) => i), "(0, 0, 0)"],
  ])("NaN %s: count and place", async (_name, places, first) => {
    let bytes = good;
    for (const i of places) bytes = mutate(bytes, 352 + 4 * i, "f32", [i % 2 ? Number.NaN : -Infinity]);
    const error = await failure(() => decodeNifti(bytes, "nan.nii"));
    expect(error.code).toBe("ERR_VOXELSPARK_NON_FINITE");
    expect(error.message).toContain(`${places.length} of 60 voxels`);
    expect(error.message).toContain(first);
    const zeroed = await decodeNifti(bytes, "nan.nii", { nonFinite: "zero" });
    expect(zeroed.nonFiniteVoxels).toBe(places.length);
    expect(places.every((i) => zeroed.data[i] === 0)).toBe(true);
  });
});

describe("any damage", () => {
  const plain = fixture("v1_le_i2.nii");
  const packed = new Uint8Array(gzipSync(fixture("v2_be_f4.nii")));
  const edits = fc.array(fc.tuple(fc.nat(1 << 20), fc.nat(255)), { minLength: 1, maxLength: 6 });
  const damage = (good: Uint8Array, list: [number, number][], cut: number): Uint8Array => {
    const bytes = good.slice(0, good.length - (cut % 3 === 0 ? cut % good.length : 0));
    for (const [at, value] of list) if (bytes.length > 0) bytes[at % bytes.length] = value;
    return bytes;
  };

  test.each([
    ["header", plain.subarray(0, 352), 600],
    ["whole file", plain, 300],
    ["gzip stream", packed, 300],
  ])("of the %s ends in a typed error or a volume of the header's size", async (_name, part, numRuns) => {
    const rest = part.length === 352 ? plain.subarray(352) : new Uint8Array(0);
    await fc.assert(
      fc.asyncProperty(edits, fc.nat(100000), async (list, cut) => {
        const bytes = new Uint8Array(Buffer.concat([damage(part, list as [number, number][], cut), rest]));
        try {
          const { data, shape, header } = await decodeNifti(bytes, "damaged", { nonFinite: "zero" });
          expect(data.length).toBe(shape[0] * shape[1] * shape[2]);
          expect([...header.shape].reverse()).toEqual(shape);
        } catch (error) {
          expect((error as { code: string }).code).toMatch(/^ERR_VOXELSPARK_/);
          expect((error as Error).message).toContain("damaged");
        }
      }),
      { numRuns },
    );
  });
});

test("the header alone reads as the whole file does", async () => {
  for (const name of ["v1_be_f8.nii", "v2_le_u2.nii", "scaled.nii.gz", "two_members.nii.gz"]) {
    const { header, geometry } = await readNiftiHeader(join(FIXTURES, name));
    const volume = await readNifti(join(FIXTURES, name));
    expect(header).toEqual(volume.header);
    expect(geometry).toEqual(volume.geometry);
  }
  expect((await failure(() => readNiftiHeader(join(FIXTURES, "golden.json")))).code).toBe(F);
});
