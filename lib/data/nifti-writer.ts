/** Writing NIfTI images, atomically; `.nii.gz` is compressed. Written files carry qform and sform. */

import { Readable } from "node:stream";
import { createGzip } from "node:zlib";
import { requireOptions } from "../arguments";
import { ArgumentTypeError, DataError, ShapeError } from "../errors";
import { writeFileAtomic } from "../files";
import { type Affine, checkAffine, type GeometryFields, quaternionFromAffine, spacingOf } from "./geometry";
import { NIFTI_TYPES, type NiftiType, voxelCount } from "./nifti-header";

export type WritableType = Exclude<NiftiType, "int64" | "uint64">;

export interface NiftiImage {
  data:
    | Float32Array
    | Float64Array
    | Uint8Array
    | Int8Array
    | Int16Array
    | Uint16Array
    | Int32Array
    | Uint32Array;
  shape: readonly [number, number, number]; // (D, H, W) = (z, y, x)
  /**
   * Row-major 4×4 in mm, default the identity; or the geometry fields of another image's header, which are then copied
   * bit for bit.
   */
  affine?: Affine;
  like?: GeometryFields & { spatialUnits?: number; version?: 1 | 2 };
  /** Datatype on disk; default: the type of `data`. Values that it cannot hold exactly in range are refused. */
  type?: WritableType;
  description?: string;
}

const INTEGER_RANGES: Partial<Record<WritableType, readonly [number, number]>> = {
  uint8: [0, 255],
  int8: [-128, 127],
  uint16: [0, 65535],
  int16: [-32768, 32767],
  uint32: [0, 2 ** 32 - 1],
  int32: [-(2 ** 31), 2 ** 31 - 1],
};

const CONSTRUCTORS = {
  uint8: Uint8Array,
  int8: Int8Array,
  uint16: Uint16Array,
  int16: Int16Array,
  uint32: Uint32Array,
  int32: Int32Array,
  float32: Float32Array,
  float64: Float64Array,
} as const;

function typeOfArray(data: NiftiImage["data"]): WritableType {
  // By name, not instanceof: typed arrays may come from another realm.
  const name = Object.prototype.toString.call(data).slice(8, -1);
  const found = (Object.keys(CONSTRUCTORS) as WritableType[]).find(
    (type) => `${CONSTRUCTORS[type].name}` === name,
  );
  if (!found) throw new ArgumentTypeError(`data must be a typed array of numbers, found ${name}.`);
  return found;
}

/** Rounds to the integer type of the file; a value outside its range is an error, never wrapped around. */
function convert(data: NiftiImage["data"], type: WritableType, path: string): NiftiImage["data"] {
  if (typeOfArray(data) === type) return data;
  const range = INTEGER_RANGES[type];
  const out = new CONSTRUCTORS[type](data.length);
  for (let i = 0; i < data.length; i++) {
    const value = range ? Math.round(data[i]!) : data[i]!;
    if (range && !(value >= range[0] && value <= range[1])) {
      throw new DataError(
        "ERR_VOXELSPARK_DATA",
        `${path}: voxel ${i} is ${data[i]}, ${type} holds ${range[0]} to ${range[1]}.`,
      );
    }
    out[i] = value;
  }
  return out;
}

function fieldsOf(image: NiftiImage): GeometryFields & { spatialUnits?: number } {
  if (image.like) return image.like;
  const [nz, ny, nx] = image.shape;
  const affine = image.affine ?? [1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1];
  const { quaternion, qfac } = quaternionFromAffine(affine);
  return {
    shape: [nx, ny, nz],
    pixdim: [qfac, ...spacingOf(affine), 0, 0, 0, 0],
    qformCode: 1,
    sformCode: 1,
    quaternion,
    qoffset: [affine[3]!, affine[7]!, affine[11]!],
    srow: affine.slice(0, 12),
    spatialUnits: 2,
  };
}

type Field = (at: number, value: number) => void;

function each(at: number, step: number, values: readonly number[], put: Field): void {
  for (const [i, value] of values.entries()) put(at + i * step, value);
}

function encodeHeader(image: NiftiImage, type: WritableType): Uint8Array {
  // The float64 affine of a NIfTI-2 image would be rounded in a NIfTI-1 header.
  const large = image.like?.version === 2 || image.shape.some((n) => n > 32767);
  return large ? encodeNifti2(image, type) : encodeNifti1(image, type);
}

function dimsOf({ shape }: NiftiImage): number[] {
  return [3, shape[2], shape[1], shape[0], 1, 1, 1, 1];
}

function encodeNifti1(image: NiftiImage, type: WritableType): Uint8Array {
  const bytes = new Uint8Array(352);
  const view = new DataView(bytes.buffer);
  const i16: Field = (at, v) => view.setInt16(at, v, true);
  const f32: Field = (at, v) => view.setFloat32(at, v, true);
  const fields = fieldsOf(image);
  view.setInt32(0, 348, true);
  each(40, 2, dimsOf(image), i16);
  each(70, 2, [NIFTI_TYPES[type].code, NIFTI_TYPES[type].bytes * 8], i16);
  each(76, 4, fields.pixdim.slice(0, 8), f32);
  each(108, 4, [352, 1, 0], f32); // vox_offset, scl_slope, scl_inter
  bytes[123] = fields.spatialUnits ?? 2; // millimetres
  bytes.set(Buffer.from(image.description ?? "voxelspark", "latin1").subarray(0, 79), 148);
  each(252, 2, [fields.qformCode, fields.sformCode], i16);
  each(256, 4, [...fields.quaternion, ...fields.qoffset, ...fields.srow], f32);
  bytes.set(Buffer.from("n+1\0", "latin1"), 344);
  return bytes;
}

/** NIfTI-2 widens sizes and fractions to 64 bits and moves the fields. */
function encodeNifti2(image: NiftiImage, type: WritableType): Uint8Array {
  const bytes = new Uint8Array(544);
  const view = new DataView(bytes.buffer);
  const i32: Field = (at, v) => view.setInt32(at, v, true);
  const i64: Field = (at, v) => view.setBigInt64(at, BigInt(v), true);
  const f64: Field = (at, v) => view.setFloat64(at, v, true);
  const fields = fieldsOf(image);
  i32(0, 540);
  bytes.set(Buffer.from("n+2\0\r\n\x1a\n", "latin1"), 4);
  view.setInt16(12, NIFTI_TYPES[type].code, true);
  view.setInt16(14, NIFTI_TYPES[type].bytes * 8, true);
  each(16, 8, dimsOf(image), i64);
  each(104, 8, fields.pixdim.slice(0, 8), f64);
  i64(168, 544); // vox_offset
  each(176, 8, [1, 0], f64); // scl_slope, scl_inter
  bytes.set(Buffer.from(image.description ?? "voxelspark", "latin1").subarray(0, 79), 240);
  each(344, 4, [fields.qformCode, fields.sformCode], i32);
  each(352, 8, [...fields.quaternion, ...fields.qoffset, ...fields.srow], f64);
  i32(500, fields.spatialUnits ?? 2); // millimetres
  return bytes;
}

function* pieces(header: Uint8Array, data: NiftiImage["data"]): Generator<Uint8Array> {
  yield header;
  const step = 1 << 22; // 4 MiB at a time keeps the compressor's queue short
  for (let at = 0; at < data.byteLength; at += step) {
    yield new Uint8Array(data.buffer, data.byteOffset + at, Math.min(step, data.byteLength - at));
  }
}

/** Writes one 3-D image to `path` (.nii or .nii.gz). Throws ShapeError, DataError or IoError. */
export async function writeNifti(path: string, image: NiftiImage): Promise<void> {
  requireOptions(image, "writeNifti: image");
  if (!/\.nii(\.gz)?$/.test(path)) {
    throw new DataError("ERR_VOXELSPARK_DATA", `${path}: a NIfTI file is written as .nii or .nii.gz.`);
  }
  if (
    !image.shape.every((n) => Number.isInteger(n) && n > 0) ||
    voxelCount(image.shape) !== image.data.length
  ) {
    throw new ShapeError(
      "ERR_VOXELSPARK_SHAPE",
      `${path}: shape (${image.shape}) does not hold ${image.data.length} voxels.`,
    );
  }
  const { affine = [] } = image;
  if (image.affine && !(affine.length === 16 && affine.every(Number.isFinite)))
    throw new ShapeError(
      "ERR_VOXELSPARK_SHAPE",
      `${path}: affine has ${affine.length} entries, 16 finite numbers are needed.`,
    );
  if (image.affine && !image.like) checkAffine(affine, "affine", path);
  const type = image.type ?? typeOfArray(image.data);
  const parts = pieces(encodeHeader(image, type), convert(image.data, type, path));
  // Level 4 is about twice as fast as the default 6 and a few per cent larger on brain images.
  const content = path.endsWith(".gz") ? Readable.from(parts).pipe(createGzip({ level: 4 })) : parts;
  await writeFileAtomic(path, content);
}
