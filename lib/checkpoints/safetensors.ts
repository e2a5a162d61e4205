/**
 * The safetensors format: 8 bytes little-endian header length, a JSON header, then the tensors' bytes without
 * gaps. The reader checks every rule of the reference implementation before it allocates or reads a tensor;
 * the word in brackets at the end of a message is the reference's name for the broken rule. Tensors are read
 * and written one at a time, so that files may be larger than memory and than 2 GiB.
 */
import type { FileHandle } from "node:fs/promises";
import { shown } from "../arguments";
import { openRegular, readExactly, type Written, writeFileAtomic } from "../files";
import {
  bad,
  encodeHeader,
  type Header,
  type Located,
  MAX_HEADER_BYTES,
  parseHeader,
  type SafetensorsDtype,
} from "./safetensors-header";

export type { SafetensorsDtype } from "./safetensors-header";

export type TensorData = Float32Array | Float64Array | Int32Array | Uint8Array;
const DTYPE_OF = { Float32Array: "F32", Float64Array: "F64", Int32Array: "I32", Uint8Array: "U8" } as const;

export interface TensorEntry {
  name: string;
  dtype: SafetensorsDtype;
  shape: readonly number[];
}

/** One tensor to write; `data` is called when its turn comes, and its result is dropped afterwards. */
export interface TensorSource {
  name: string;
  shape: readonly number[];
  /** Defaults to F32. */
  dtype?: (typeof DTYPE_OF)[keyof typeof DTYPE_OF];
  data: () => TensorData | Promise<TensorData>;
}

/**
 * Writes a file, atomically. Tensors keep their order.
 * @throws CheckpointError when a source delivers another type or size than it announced; IoError
 */
export async function writeSafetensors(
  file: string,
  tensors: readonly TensorSource[],
  metadata: Readonly<Record<string, string>> = {},
): Promise<Written> {
  const header = encodeHeader(file, tensors, metadata);
  async function* content(): AsyncGenerator<Uint8Array> {
    yield header;
    for (const tensor of tensors) yield bytesOf(file, tensor, await tensor.data());
  }
  return writeFileAtomic(file, content());
}

/** An open, validated file. Close it. */
export class SafetensorsFile {
  constructor(
    readonly path: string,
    private readonly handle: FileHandle,
    private readonly entries: ReadonlyMap<string, Located>,
    readonly metadata: Readonly<Record<string, string>>,
  ) {}

  /** Tensors in the order of their bytes. */
  get tensors(): TensorEntry[] {
    return [...this.entries].map(([name, { dtype, shape }]) => ({ name, dtype, shape }));
  }

  /** @throws CheckpointError when the file has no such tensor; so do the others that take a name */
  entry(name: string): TensorEntry {
    const { dtype, shape } = this.locate(name);
    return { name, dtype, shape };
  }

  has(name: string): boolean {
    return this.entries.has(name);
  }

  /** The tensor's bytes as they are in the file, little-endian. */
  async readBytes(name: string): Promise<Uint8Array> {
    const { start, end } = this.locate(name);
    const bytes = new Uint8Array(end - start);
    await readExactly(this.handle, this.path, start, bytes.length, bytes);
    return bytes;
  }

  /** The tensor as float32; F32, F64, F16 and BF16 can be. */
  async readFloat32(name: string): Promise<Float32Array> {
    const { dtype } = this.locate(name);
    const bytes = await this.readBytes(name);
    if (dtype === "F32") return new Float32Array(bytes.buffer);
    if (dtype === "F64") return Float32Array.from(new Float64Array(bytes.buffer));
    if (dtype === "BF16") return fromBfloat16(new Uint16Array(bytes.buffer));
    if (dtype === "F16") return fromFloat16(new Uint16Array(bytes.buffer));
    throw bad(this.path, `tensor ${name} has dtype ${dtype}, readable as float32 are F32, F64, F16 and BF16`);
  }

  async close(): Promise<void> {
    await this.handle.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  private locate(name: string): Located {
    const found = this.entries.get(name);
    if (found === undefined) {
      throw bad(
        this.path,
        `there is no tensor ${JSON.stringify(name)} among its ${this.entries.size} tensors`,
      );
    }
    return found;
  }
}

/**
 * Opens and validates a file; nothing of a tensor is read yet.
 * @throws CheckpointError naming the rule of the format that is broken; DataError, IoError
 */
export async function openSafetensors(file: string): Promise<SafetensorsFile> {
  const { handle, stats } = await openRegular(file);
  try {
    const { entries, metadata } = await readHeader(file, handle, stats.size);
    return new SafetensorsFile(file, handle, entries, metadata);
  } catch (error) {
    await handle.close();
    throw error;
  }
}

async function readHeader(file: string, handle: FileHandle, size: number): Promise<Header> {
  if (size < 8) throw bad(file, `${size} bytes cannot hold the 8 bytes of a header length`, "HeaderTooSmall");
  const length = (await readExactly(handle, file, 0, 8)).readBigUInt64LE();
  if (length > BigInt(MAX_HEADER_BYTES)) {
    throw bad(
      file,
      `the header claims ${length} bytes, at most ${MAX_HEADER_BYTES} are allowed`,
      "HeaderTooLarge",
    );
  }
  const dataStart = 8 + Number(length);
  if (dataStart > size) {
    throw bad(
      file,
      `the header claims ${length} bytes, the file has ${size - 8} after its length`,
      "InvalidHeaderLength",
    );
  }
  return parseHeader(file, await readExactly(handle, file, 8, Number(length)), dataStart, size);
}

function bytesOf(file: string, { name, shape, dtype = "F32" }: TensorSource, data: TensorData): Uint8Array {
  const kind = Object.prototype.toString.call(data).slice(8, -1) as keyof typeof DTYPE_OF;
  const elements = shape.reduce((n, size) => n * size, 1);
  if (DTYPE_OF[kind] !== dtype || data.length !== elements) {
    const found = `${kind} of ${data?.length} elements`;
    throw bad(
      file,
      `cannot be written: tensor ${shown(name)} delivered ${found}, announced ${elements} of ${dtype}`,
    );
  }
  return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
}

function fromBfloat16(bits: Uint16Array): Float32Array {
  const out = new Float32Array(bits.length);
  const words = new Uint32Array(out.buffer);
  for (let i = 0; i < bits.length; i++) words[i] = bits[i]! << 16; // bfloat16 is float32's upper half
  return out;
}

function fromFloat16(bits: Uint16Array): Float32Array {
  const table = new Float32Array(65536); // one value for every half
  for (let half = 0; half < 65536; half++) {
    const sign = half & 0x8000 ? -1 : 1;
    const exponent = (half >> 10) & 31;
    const fraction = half & 1023;
    if (exponent === 31) table[half] = fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
    else if (exponent === 0) table[half] = sign * fraction * 2 ** -24;
    else table[half] = sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
  }
  return Float32Array.from(bits, (half) => table[half]!);
}
