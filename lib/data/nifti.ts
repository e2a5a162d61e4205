/**
 * Reading NIfTI images: .nii and .nii.gz, versions 1 and 2, both byte orders, all real datatypes, scaled to
 * float32 as nibabel does. A damaged or oversized file is an error that names what was found and allowed.
 */
import { open, stat } from "node:fs/promises";
import { requireOptions } from "../arguments";
import { DataError, FormatError } from "../errors";
import { guarded, ioError } from "../files";
import { type Geometry, type GeometryChoice, geometryOf, type Vector3 } from "./geometry";
import { BoundedSink, isGzip, readHead, readInto } from "./gzip";
import {
  DEFAULT_LIMITS,
  HEADER_BYTES,
  loadHeaderLibrary,
  NIFTI_TYPES,
  type NiftiHeader,
  type NiftiLimits,
  type NiftiType,
  parseHeader,
  requiredBytes,
  voxelCount,
} from "./nifti-header";

export interface NiftiOptions {
  limits?: Partial<NiftiLimits>;
  /** Which of the two stored affines to trust. Default "auto": sform, else qform; error if they disagree. */
  geometry?: GeometryChoice;
  /** What to do with NaN and ±inf voxels. Default "error"; "zero" replaces them and reports how many. */
  nonFinite?: "error" | "zero";
  /** What the voxels are, for errors: NaN in a label map has no cure but repair. Default "image". */
  content?: "image" | "labels";
}

export interface Volume {
  readonly data: Float32Array;
  readonly shape: Vector3; // (D, H, W) = (z, y, x)
  readonly geometry: Geometry;
  readonly header: NiftiHeader;
  /** Voxels that were not finite and became 0 (option nonFinite: "zero"). */
  readonly nonFiniteVoxels: number;
  /** Things that were accepted but deserve a look, as sentences. */
  readonly warnings: readonly string[];
}

type VoxelArray =
  | Float32Array
  | Float64Array
  | Int8Array
  | Uint8Array
  | Int16Array
  | Uint16Array
  | Int32Array
  | Uint32Array
  | BigInt64Array
  | BigUint64Array;

const ARRAYS: Record<
  NiftiType,
  { new (buffer: ArrayBufferLike, offset: number, length: number): VoxelArray }
> = {
  uint8: Uint8Array,
  int8: Int8Array,
  uint16: Uint16Array,
  int16: Int16Array,
  uint32: Uint32Array,
  int32: Int32Array,
  uint64: BigUint64Array,
  int64: BigInt64Array,
  float32: Float32Array,
  float64: Float64Array,
};

function swapBytes(bytes: Uint8Array, width: number): void {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (width === 2) buffer.swap16();
  else if (width === 4) buffer.swap32();
  else if (width === 8) buffer.swap64();
}

/** Units of length in a header other than millimetres and "unknown"; nibabel takes no notice of them either. */
const ODD_UNITS: Record<number, string> = { 1: "metres", 3: "micrometres" };

/** The stored numbers in this machine's byte order (little endian), as the header's own type. */
function storedVoxels(bytes: Uint8Array, header: NiftiHeader): VoxelArray {
  const { bytes: width } = NIFTI_TYPES[header.type];
  const count = voxelCount(header.shape);
  let voxels = bytes.subarray(header.voxelOffset, header.voxelOffset + count * width);
  if (voxels.byteOffset % width !== 0) voxels = voxels.slice(); // typed arrays must start on a multiple
  if (!header.littleEndian) swapBytes(voxels, width);
  return new ARRAYS[header.type](voxels.buffer, voxels.byteOffset, count);
}

/** float32 of (stored · slope + intercept), computed in float64 like nibabel's get_fdata. */
function scaledVoxels(stored: VoxelArray, header: NiftiHeader): Float32Array {
  const { slope, intercept } = header;
  if (
    slope === 1 &&
    intercept === 0 &&
    !(stored instanceof BigInt64Array) &&
    !(stored instanceof BigUint64Array)
  ) {
    return header.type === "float32" ? (stored as Float32Array) : Float32Array.from(stored);
  }
  const out = new Float32Array(stored.length);
  for (let i = 0; i < out.length; i++) out[i] = Number(stored[i]) * slope + intercept;
  return out;
}

/** Counts NaN and ±inf; writes zeros over them where asked for, else throws DataError with count and place. */
function checkFinite(
  data: Float32Array,
  shape: Vector3,
  source: string,
  mode: "error" | "zero",
  content: "image" | "labels" = "image",
): number {
  let count = 0;
  let first = -1;
  for (let i = 0; i < data.length; i++) {
    const value = data[i]!;
    if (value - value === 0) continue; // false for NaN and ±inf only
    if (count++ === 0) first = i;
    if (mode === "zero") data[i] = 0;
  }
  if (count > 0 && mode === "error") {
    const [, height, width] = shape;
    const place = [first % width, Math.floor(first / width) % height, Math.floor(first / (width * height))];
    const cure =
      content === "labels"
        ? "Repair the label map: labels are whole numbers."
        : "Repair the image, or choose --non-finite zero to set them to 0.";
    throw new DataError(
      "ERR_VOXELSPARK_NON_FINITE",
      `${source}: ${count} of ${data.length} voxels are NaN or infinite, the first at (x, y, z) = (${place.join(", ")}). ` +
        cure,
    );
  }
  return count;
}

async function sizeOfFile(path: string): Promise<number> {
  const info = await stat(path).catch(async (error) => {
    throw await ioError("read", path, error);
  });
  if (!info.isFile()) {
    const kind = info.isDirectory() ? "a folder" : info.isFIFO() ? "a FIFO" : "a device or socket";
    throw new DataError("ERR_VOXELSPARK_DATA", `${path} is ${kind}, a regular NIfTI file is needed.`);
  }
  return info.size;
}

async function firstBytes(path: string): Promise<Uint8Array> {
  const handle = await open(path, "r").catch(async (error) => {
    throw await ioError("open", path, error);
  });
  try {
    const { buffer, bytesRead } = await guarded(path, "read", () =>
      handle.read({ buffer: Buffer.alloc(2), position: 0 }),
    );
    return buffer.subarray(0, bytesRead);
  } finally {
    await handle.close();
  }
}

async function decode(
  input: string | Uint8Array,
  size: number,
  start: Uint8Array,
  source: string,
  options: NiftiOptions,
): Promise<Volume> {
  if (size === 0)
    throw new FormatError("ERR_VOXELSPARK_TRUNCATED", `${source} is empty: 0 bytes, a NIfTI header has 348.`);
  const limits = { ...DEFAULT_LIMITS, ...options.limits };
  const library = await loadHeaderLibrary();
  const warnings: string[] = [];
  let header: NiftiHeader | undefined;
  let geometry: Geometry | undefined;
  // Header and geometry are checked before the voxels are allocated.
  const plan = (head: Uint8Array): number => {
    header = parseHeader(library, head, source, limits);
    geometry = geometryOf(header, source, options.geometry, warnings);
    const unit = ODD_UNITS[header.spatialUnits];
    if (unit)
      warnings.push(`${source}: its header says ${unit} (xyzt_units), its sizes are taken as millimetres.`);
    return requiredBytes(header);
  };
  const makeSink = (available: number): BoundedSink => new BoundedSink(source, HEADER_BYTES, plan, available);
  const bytes = await readInto(makeSink, input, size, isGzip(start), source);
  const data = scaledVoxels(storedVoxels(bytes, header!), header!);
  const [nx, ny, nz] = header!.shape;
  const shape: Vector3 = [nz, ny, nx];
  const nonFiniteVoxels = checkFinite(data, shape, source, options.nonFinite ?? "error", options.content);
  if (nonFiniteVoxels > 0)
    warnings.push(`${source}: ${nonFiniteVoxels} voxels were NaN or infinite and are now 0.`);
  return { data, shape, geometry: geometry!, header: header!, nonFiniteVoxels, warnings };
}

/**
 * Reads one 3-D image. `data` is in (z, y, x) order, which is the file's own order.
 * Throws FormatError, GeometryError, DataError or IoError, each naming the file.
 */
export async function readNifti(path: string, options: NiftiOptions = {}): Promise<Volume> {
  requireOptions(options, "readNifti: options");
  const size = await sizeOfFile(path);
  return decode(path, size, await firstBytes(path), path, options);
}

/** The same for a file that is already in memory; `source` names it in errors. */
export function decodeNifti(bytes: Uint8Array, source: string, options: NiftiOptions = {}): Promise<Volume> {
  return decode(bytes, bytes.length, bytes.subarray(0, 2), source, options);
}

/**
 * Header and geometry of an image without its voxels; of a .nii.gz only the beginning is unpacked.
 * Throws as `readNifti` does for what it sees.
 */
export async function readNiftiHeader(
  path: string,
  options: NiftiOptions = {},
): Promise<{ header: NiftiHeader; geometry: Geometry }> {
  requireOptions(options, "readNiftiHeader: options");
  await sizeOfFile(path);
  const compressed = isGzip(await firstBytes(path));
  const head = await readHead(path, compressed, HEADER_BYTES);
  const limits = { ...DEFAULT_LIMITS, ...options.limits };
  const header = parseHeader(await loadHeaderLibrary(), head, path, limits);
  return { header, geometry: geometryOf(header, path, options.geometry) };
}
