import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { type Affine, geometryOf, quaternionFromAffine } from "../../lib/data/geometry";
import { readNifti } from "../../lib/data/nifti";
import { type NiftiImage, writeNifti } from "../../lib/data/nifti-writer";
import { requireSameGrid } from "../../lib/data/same-grid";
import { failure, temporaryFolder } from "./temp";

const folder = temporaryFolder();
const shape = [3, 4, 5] as const;
const ramp = (n = 60): Float32Array => Float32Array.from({ length: n }, (_, i) => i * 1.25 - 20);

/** All 48 signed axis permutations with three different spacings. */
function orientations(): Affine[] {
  const permutations = [
    [0, 1, 2],
    [0, 2, 1],
    [1, 0, 2],
    [1, 2, 0],
    [2, 0, 1],
    [2, 1, 0],
  ];
  const spacing = [0.75, 1.5, 3];
  return permutations.flatMap((order) =>
    Array.from({ length: 8 }, (_, signs) => {
      const affine = new Array<number>(16).fill(0);
      order.forEach((world, axis) => {
        affine[world * 4 + axis] = spacing[axis]! * ((signs >> axis) & 1 ? -1 : 1);
      });
      affine[3] = -12.5;
      affine[7] = 30.25;
      affine[11] = 7;
      affine[15] = 1;
      return affine;
    }),
  );
}

describe("48 orientations", () => {
  test.each(["sform", "qform"] as const)("round-trip through the %s to the same affine", async (form) => {
    const codes = new Set<string>();
    for (const [i, affine] of orientations().entries()) {
      const path = join(folder, `o${i}.nii`);
      await writeNifti(path, { data: ramp(), shape, affine });
      const { geometry } = await readNifti(path, { geometry: form });
      expect(geometry.source).toBe(form);
      // the sform is exact; a quaternion of 90° holds √½ as float32
      const worst = Math.max(...geometry.affine.map((v, j) => Math.abs(v - affine[j]!)));
      expect(worst).toBeLessThanOrEqual(form === "sform" ? 0 : 1e-6);
      codes.add(geometry.orientation);
    }
    expect(codes.size).toBe(48);
  });
});

test("quaternion and affine invert each other for random rotations", () => {
  const unit = fc.double({ min: -1, max: 1, noNaN: true });
  fc.assert(
    fc.property(fc.tuple(unit, unit, unit, unit), fc.boolean(), ([a, b, c, d], flip) => {
      const length = Math.hypot(a, b, c, d);
      fc.pre(length > 0.01);
      const q = [b, c, d].map((v) => (v / length) * (a < 0 ? -1 : 1)) as [number, number, number];
      const fields = {
        shape: [5, 6, 7] as [number, number, number],
        pixdim: [flip ? -1 : 1, 0.5, 1, 2],
        qformCode: 1,
        sformCode: 0,
        quaternion: q,
        qoffset: [1, 2, 3] as [number, number, number],
        srow: [],
      };
      const first = geometryOf(fields, "q").affine;
      const back = quaternionFromAffine(first);
      expect(back.qfac).toBe(flip ? -1 : 1);
      const second = geometryOf({ ...fields, quaternion: back.quaternion }, "q").affine;
      // √(1−b²−c²−d²) loses half the digits near 180°, as in every NIfTI reader
      expect(Math.max(...first.map((v, i) => Math.abs(v - second[i]!)))).toBeLessThan(1e-6);
    }),
    { numRuns: 300 },
  );
});

describe("writing", () => {
  const types = ["uint8", "int8", "uint16", "int16", "uint32", "int32", "float32", "float64"] as const;
  test.each(types)("%s, plain and compressed, reads back", async (type) => {
    const data = Float32Array.from({ length: 60 }, (_, i) => (type.startsWith("u") ? i : i - 30));
    for (const ending of ["nii", "nii.gz"]) {
      const path = join(folder, `${type}.${ending}`);
      await writeNifti(path, { data, shape, type });
      const volume = await readNifti(path);
      expect(volume.header.type).toBe(type);
      expect([...volume.data]).toEqual([...data]);
    }
  });

  test("an axis beyond 32767 becomes NIfTI-2", async () => {
    const path = join(folder, "long.nii.gz");
    await writeNifti(path, {
      data: new Uint8Array(40000).fill(3),
      shape: [1, 1, 40000],
      affine: orientations()[17],
    });
    const volume = await readNifti(path);
    expect(volume.header.version).toBe(2);
    expect(volume.shape).toEqual([1, 1, 40000]);
    expect(volume.geometry.affine).toEqual(orientations()[17]);
  });

  test("the geometry fields of another image are copied bit for bit", async () => {
    const original = await readNifti(join(__dirname, "../golden/nifti/higher_qform.nii"));
    const path = join(folder, "copy.nii");
    await writeNifti(path, {
      data: original.data,
      shape: original.shape,
      like: original.header,
      type: "int16",
    });
    const copy = await readNifti(path);
    for (const field of ["pixdim", "qformCode", "sformCode", "quaternion", "qoffset", "srow"] as const) {
      expect(copy.header[field]).toEqual(original.header[field]);
    }
  });

  test("a copy of NIfTI-2 geometry stays NIfTI-2, whose numbers are float64", async () => {
    const original = await readNifti(join(__dirname, "../golden/nifti/v2_le_f4.nii"));
    const like = { ...original.header, srow: original.header.srow.map((v) => v + 1e-9) };
    const path = join(folder, "copy2.nii");
    await writeNifti(path, { data: original.data, shape: original.shape, like });
    const { header } = await readNifti(path);
    expect(header.version).toBe(2);
    expect(header.srow).toEqual(like.srow);
  });

  test("values outside the type, wrong shapes and names are refused, and leave nothing behind", async () => {
    const out = join(folder, "refused");
    const good: NiftiImage = { data: ramp(), shape };
    const cases: [string, NiftiImage, string][] = [
      ["a.nii", { ...good, type: "uint8" }, "ERR_VOXELSPARK_DATA"],
      ["a.nii", { ...good, shape: [3, 4, 6] }, "ERR_VOXELSPARK_SHAPE"],
      ["a.txt", good, "ERR_VOXELSPARK_DATA"],
      ["a.nii", { ...good, affine: [1, 0, 0] }, "ERR_VOXELSPARK_SHAPE"],
      ["a.nii", { ...good, data: [1] as unknown as Float32Array, shape: [1, 1, 1] }, "ERR_VOXELSPARK_TYPE"],
    ];
    for (const [name, image, code] of cases) {
      expect((await failure(() => writeNifti(join(out, name), image))).code).toBe(code);
    }
    expect(() => readdirSync(out)).toThrow();
  });

  test("a folder that cannot be made is an IoError with the path", async () => {
    const error = await failure(() => writeNifti("/dev/null/x/a.nii", { data: ramp(), shape }));
    expect(error.code).toBe("ERR_VOXELSPARK_IO");
    expect(error.message).toMatch(/\/dev\/null\/x\/a\.nii/);
  });
});

test.each([
  ["sheared", [1, 0.5, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1], /the affine is sheared by 0\.46365 rad/],
  ["singular", new Array(16).fill(0), /the affine is singular/],
  ["of metres", [1e-3, 0, 0, 0, 0, 1e-3, 0, 0, 0, 0, 1e-3, 0, 0, 0, 0, 1], /allowed is 0\.01 to 100 mm/],
])("an affine that no reader of ours would take is not written: %s", async (name, affine, text) => {
  const path = join(folder, `${name}.nii`);
  const error = await failure(() => writeNifti(path, { data: Float32Array.of(1), shape: [1, 1, 1], affine }));
  expect(error.code).toBe("ERR_VOXELSPARK_GEOMETRY");
  expect(error.message).toMatch(text);
  expect(existsSync(path)).toBe(false);
});

describe("requireSameGrid", () => {
  const base = [1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 2, 0, 0, 0, 0, 1];
  const placed = (affine: number[], size = [4, 4, 4]) => {
    const fields = {
      shape: [4, 4, 4] as [number, number, number],
      pixdim: [1, 1, 1, 1],
      qformCode: 0,
      sformCode: 1,
    };
    const geometry = geometryOf(
      { ...fields, quaternion: [0, 0, 0], qoffset: [0, 0, 0], srow: affine.slice(0, 12) },
      "x",
    );
    return { shape: size, geometry };
  };
  const changed = (at: number, value: number): number[] => base.map((v, i) => (i === at ? value : v));
  const turned = (t: number): number[] => [
    Math.cos(t),
    -Math.sin(t),
    0,
    0,
    Math.sin(t),
    Math.cos(t),
    0,
    0,
    ...base.slice(8),
  ];

  test.each([
    ["spacing", changed(10, 2 * 1.0009), changed(10, 2 * 1.0011), /spacings differ/],
    ["origin", changed(3, 0.099), changed(3, 0.101), /voxels apart/],
    ["direction", turned(0.9e-3), turned(1.1e-3), /directions differ/],
  ])("%s just inside and just outside its tolerance", (_name, inside, outside, text) => {
    expect(() => requireSameGrid(placed(base), placed(inside), "a", "b")).not.toThrow();
    expect(() => requireSameGrid(placed(base), placed(outside), "a", "b")).toThrow(text);
  });

  test("shape", () => {
    expect(() => requireSameGrid(placed(base), placed(base, [4, 4, 5]), "a", "b")).toThrow(
      /a and b: shapes differ/,
    );
  });
});
