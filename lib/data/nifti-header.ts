/**
 * The NIfTI-1 and NIfTI-2 header. nifti-reader-js reads the plain fields; what it gets wrong or accepts
 * (affine choice, quaternions, 64-bit sizes, impossible values) is read and checked here.
 */
import { FormatError } from "../errors";
import { ByteReader } from "./bytes";
import type { GeometryFields, Vector3 } from "./geometry";

export type NiftiType =
  | "uint8"
  | "int8"
  | "uint16"
  | "int16"
  | "uint32"
  | "int32"
  | "uint64"
  | "int64"
  | "float32"
  | "float64";

/** NIfTI datatype codes of real numbers, with their bytes. */
export const NIFTI_TYPES: Record<NiftiType, { code: number; bytes: number }> = {
  uint8: { code: 2, bytes: 1 },
  int16: { code: 4, bytes: 2 },
  int32: { code: 8, bytes: 4 },
  float32: { code: 16, bytes: 4 },
  float64: { code: 64, bytes: 8 },
  int8: { code: 256, bytes: 1 },
  uint16: { code: 512, bytes: 2 },
  uint32: { code: 768, bytes: 4 },
  int64: { code: 1024, bytes: 8 },
  uint64: { code: 1280, bytes: 8 },
};

/** Codes that exist but hold no real numbers: what they are and what to do. */
const REFUSED_TYPES: Record<number, string> = {
  1: "binary (1 bit); convert it to uint8",
  32: "complex64; store magnitude and phase as two float32 images",
  128: "RGB24; store one channel as its own image, or a grey-value image",
  1536: "float128; convert it to float64",
  1792: "complex128; store magnitude and phase as two float64 images",
  2048: "complex256; store magnitude and phase as two float64 images",
  2304: "RGBA32; store one channel as its own image, or a grey-value image",
};

export interface NiftiHeader extends GeometryFields {
  readonly version: 1 | 2;
  readonly littleEndian: boolean;
  readonly type: NiftiType;
  readonly voxelOffset: number;
  /** Value = stored · slope + intercept; 1 and 0 where the file asks for no scaling. */
  readonly slope: number;
  readonly intercept: number;
  readonly spatialUnits: number;
  readonly description: string;
}

export interface NiftiLimits {
  /** Most voxels of one image. */
  maxVoxels: number;
}

export const DEFAULT_LIMITS: NiftiLimits = { maxVoxels: 2 ** 31 };

const SIZES = {
  348: { version: 1, single: 352, magic: "n+1\0" },
  540: { version: 2, single: 544, magic: "n+2\0\r\n\x1a\n" },
} as const;
/** Bytes that the longer of the two headers takes, with the four extension bytes. */
export const HEADER_BYTES = 544;

function fail(source: string, sentence: string): never {
  throw new FormatError("ERR_VOXELSPARK_FORMAT", `${source}: ${sentence}`);
}

function unsupported(source: string, sentence: string): never {
  throw new FormatError("ERR_VOXELSPARK_UNSUPPORTED", `${source}: ${sentence}`);
}

/** Number of voxels, checked against the limit without overflow. */
export function voxelCount(shape: readonly number[]): number {
  return shape.reduce((product, n) => product * n, 1);
}

/** Bytes from the start of the file to the last voxel. */
export function requiredBytes(header: NiftiHeader): number {
  return header.voxelOffset + voxelCount(header.shape) * NIFTI_TYPES[header.type].bytes;
}

interface Dialect {
  version: 1 | 2;
  single: number;
  littleEndian: boolean;
}

/** Recognises version and byte order from sizeof_hdr and the magic string. */
function dialectOf(bytes: Uint8Array, source: string): Dialect {
  const reader = new ByteReader(bytes, source);
  const little = reader.i32();
  reader.littleEndian = false;
  const big = reader.seek(0).i32();
  const littleEndian = little in SIZES;
  const size = (littleEndian ? little : big) as keyof typeof SIZES;
  const dialect = SIZES[size];
  if (!dialect) {
    fail(source, `not a NIfTI file: sizeof_hdr is ${little}, allowed are 348 (NIfTI-1) and 540 (NIfTI-2).`);
  }
  const magic = Buffer.from(reader.seek(dialect.version === 1 ? 344 : 4).take(dialect.magic.length)).toString(
    "latin1",
  );
  if (magic.startsWith("ni")) {
    unsupported(
      source,
      "a .hdr/.img pair; join both into one .nii file (for example with nib-convert or fslchfiletype).",
    );
  }
  if (magic !== dialect.magic) {
    fail(
      source,
      `the magic string is ${JSON.stringify(magic)}, allowed is ${JSON.stringify(dialect.magic)}.`,
    );
  }
  return { version: dialect.version, single: dialect.single, littleEndian };
}

type Library = typeof import("nifti-reader-js", { with: { "resolution-mode": "import" }});

/** The ES-module-only header library, loaded once and handed to `parseHeader`. */
export function loadHeaderLibrary(): Promise<Library> {
  return import("nifti-reader-js");
}

/** Fields through nifti-reader-js, from a copy without the extension flag, which it trusts blindly. */
function libraryHeader(library: Library, bytes: Uint8Array, dialect: Dialect, source: string) {
  const copy = new Uint8Array(dialect.single);
  copy.set(bytes.subarray(0, dialect.single - 4));
  try {
    return library.readHeader(copy.buffer)!;
  } catch (error) {
    throw new FormatError(
      "ERR_VOXELSPARK_FORMAT",
      `${source}: unreadable NIfTI header: ${(error as Error).message}`,
      {
        cause: error,
      },
    );
  }
}

/** The fields that nifti-reader-js loses: dims beyond 32 bits and the sform when the qform's code is higher. */
function ownFields(bytes: Uint8Array, dialect: Dialect, source: string) {
  const reader = new ByteReader(bytes, source, dialect.littleEndian);
  const first = dialect.version === 1;
  const dims = reader.seek(first ? 40 : 16).list(8, first ? reader.i16 : reader.i64);
  const voxelOffset = first ? reader.seek(108).f32() : reader.seek(168).i64();
  const srow = reader.seek(first ? 280 : 400).list(12, first ? reader.f32 : reader.f64);
  return { dims, voxelOffset, srow };
}

function shapeOf(dims: number[], source: string, limits: NiftiLimits): Vector3 {
  const rank = dims[0]!;
  if (!(rank >= 1 && rank <= 7)) fail(source, `dim[0] is ${rank}, allowed is 1 to 7.`);
  const sizes = dims.slice(1, rank + 1);
  const bad = sizes.findIndex((n) => !(n >= 1));
  if (bad >= 0) fail(source, `dim[${bad + 1}] is ${sizes[bad]}, allowed is at least 1.`);
  const volume = sizes.slice(3).every((n) => n === 1) && rank >= 3;
  if (!volume) unsupported(source, wrongRank(sizes));
  const voxels = voxelCount(sizes);
  if (voxels > limits.maxVoxels) {
    throw new FormatError(
      "ERR_VOXELSPARK_TOO_LARGE",
      `${source}: (${sizes.join(", ")}) are ${voxels} voxels, allowed are ${limits.maxVoxels}.`,
    );
  }
  return sizes.slice(0, 3) as Vector3;
}

function wrongRank(sizes: number[]): string {
  const found = `found shape (${sizes.join(", ")})`;
  if (sizes.length < 3) return `a ${sizes.length}-D image, ${found}; one 3-D volume is needed.`;
  const volumes = voxelCount(sizes.slice(3));
  return (
    `a ${sizes.length}-D image, ${found}; one 3-D volume is needed. Split it into ${volumes} files ` +
    `_0000 … _${String(volumes - 1).padStart(4, "0")} (for example with fslsplit or nib-convert).`
  );
}

function typeOf(code: number, bits: number, source: string): NiftiType {
  const refused = REFUSED_TYPES[code];
  if (refused) unsupported(source, `the datatype is ${code}, ${refused}.`);
  const entry = Object.entries(NIFTI_TYPES).find(([, type]) => type.code === code);
  if (!entry)
    fail(
      source,
      `the datatype is ${code}, allowed are ${Object.values(NIFTI_TYPES)
        .map((t) => t.code)
        .join(", ")}.`,
    );
  const [type, { bytes }] = entry;
  if (bits !== bytes * 8)
    fail(source, `bitpix is ${bits}, but datatype ${code} (${type}) has ${bytes * 8} bits.`);
  return type as NiftiType;
}

/** nibabel's rule: slope 0 or non-finite means no scaling; a valid slope needs a finite intercept. */
function scalingOf(slope: number, intercept: number, source: string): { slope: number; intercept: number } {
  if (slope === 0 || !Number.isFinite(slope)) return { slope: 1, intercept: 0 };
  if (!Number.isFinite(intercept))
    fail(source, `scl_slope is ${slope}, but scl_inter is ${intercept}; it must be finite.`);
  return { slope, intercept };
}

function checkOffset(offset: number, single: number, source: string): void {
  if (!Number.isSafeInteger(offset) || offset < single) {
    fail(source, `vox_offset is ${offset}, allowed is a whole number from ${single} on.`);
  }
}

/** Parses and checks the header at the start of `bytes`. Throws FormatError; geometry is checked elsewhere. */
export function parseHeader(
  library: Library,
  bytes: Uint8Array,
  source: string,
  limits: NiftiLimits = DEFAULT_LIMITS,
): NiftiHeader {
  const dialect = dialectOf(bytes, source);
  new ByteReader(bytes, source).skip(dialect.single);
  const { dims, voxelOffset, srow } = ownFields(bytes, dialect, source);
  const shape = shapeOf(dims, source, limits);
  checkOffset(voxelOffset, dialect.single, source);
  const read = libraryHeader(library, bytes, dialect, source);
  return {
    version: dialect.version,
    littleEndian: dialect.littleEndian,
    shape,
    type: typeOf(read.datatypeCode, read.numBitsPerVoxel, source),
    voxelOffset,
    ...scalingOf(read.scl_slope, read.scl_inter, source),
    pixdim: read.pixDims.slice(0, 8),
    qformCode: read.qform_code,
    sformCode: read.sform_code,
    quaternion: [read.quatern_b, read.quatern_c, read.quatern_d],
    qoffset: [read.qoffset_x, read.qoffset_y, read.qoffset_z],
    srow,
    spatialUnits: read.xyzt_units & 7,
    description: read.description.replace(/\0.*$/s, ""),
  };
}
