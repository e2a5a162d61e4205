/**
 * One shard of a Zarr v3 array (codec `sharding_indexed`): chunks of 32³ voxels, each zstd-compressed and
 * followed by its CRC-32C, then the index of (offset, length) pairs with its own CRC-32C. One shard holds a
 * whole case, so a case is one data file. Written and read here because zarrita neither writes shards nor
 * verifies checksums; the result is plain Zarr v3 that other readers open.
 */
import type { FileHandle } from "node:fs/promises";
import { DataError } from "../errors";
import { guarded } from "../files";
import { crc32c } from "./crc32c";

export type Shape4 = readonly [number, number, number, number]; // (C, D, H, W)

const CHUNK = 32;
const ZSTD_LEVEL = 3; // measured on heads: level 1 is no faster to read, above 3 gains under 1 %
const CHUNK_VOXELS = CHUNK ** 3;
const INDEX_ENTRY = 16; // two little-endian uint64
const MISSING = 2n ** 64n - 1n; // offset and length of a chunk that is not stored

interface Codec {
  encode(data: Uint8Array): Uint8Array | Promise<Uint8Array>;
  decode(data: Uint8Array): Uint8Array | Promise<Uint8Array>;
}

let loading: Promise<Codec> | undefined;

/** The zstd codec (WebAssembly, ES module only), loaded once a thread. */
function zstd(): Promise<Codec> {
  loading ??= import("numcodecs/zstd").then((m) => m.default.fromConfig({ level: ZSTD_LEVEL }) as Codec);
  return loading;
}

/** Chunks along (C, z, y, x). */
function gridOf(shape: Shape4): Shape4 {
  const [channels, ...size] = shape;
  return [channels, ...size.map((n) => Math.ceil(n / CHUNK))] as unknown as Shape4;
}

function chunkCount(shape: Shape4): number {
  return gridOf(shape).reduce((a, b) => a * b, 1);
}

function indexBytes(shape: Shape4): number {
  return chunkCount(shape) * INDEX_ENTRY + 4;
}

/** Zarr v3 metadata of the array; `fill` is a float32 number, `attributes` is free. */
export function arrayMetadata(shape: Shape4, fill: number, attributes: object): object {
  const bytes = { name: "bytes", configuration: { endian: "little" } };
  const grid = gridOf(shape);
  return {
    zarr_format: 3,
    node_type: "array",
    shape,
    data_type: "float32",
    chunk_grid: {
      name: "regular",
      configuration: { chunk_shape: grid.map((n, axis) => (axis === 0 ? n : n * CHUNK)) },
    },
    chunk_key_encoding: { name: "default", configuration: { separator: "/" } },
    fill_value: fill, // chunks of nothing else are not stored
    codecs: [
      {
        name: "sharding_indexed",
        configuration: {
          chunk_shape: [1, CHUNK, CHUNK, CHUNK],
          codecs: [
            bytes,
            { name: "zstd", configuration: { level: ZSTD_LEVEL, checksum: false } },
            { name: "crc32c" },
          ],
          index_codecs: [bytes, { name: "crc32c" }],
          index_location: "end",
        },
      },
    ],
    dimension_names: ["c", "z", "y", "x"],
    attributes,
  };
}

/** Path of the only shard below the array's folder. */
export const SHARD_PATH = "c/0/0/0/0";

/** The bytes and their CRC-32C. */
export function withChecksum(bytes: Uint8Array): Uint8Array {
  const out = new Uint8Array(bytes.length + 4);
  out.set(bytes);
  new DataView(out.buffer).setUint32(bytes.length, crc32c(bytes), true);
  return out;
}

/** The bytes before the trailing CRC-32C; undefined if it does not match. */
export function verified(bytes: Uint8Array): Uint8Array | undefined {
  if (bytes.length < 4) return undefined;
  const body = bytes.subarray(0, bytes.length - 4);
  const stored = new DataView(bytes.buffer, bytes.byteOffset + body.length, 4).getUint32(0, true);
  return stored === crc32c(body) ? body : undefined;
}

interface Box {
  start: [number, number, number];
  size: [number, number, number];
}

/** Copies the part of a dense volume that lies in a box into another one; both are given by their boxes. */
function copyBox(from: Float32Array, fromBox: Box, to: Float32Array, toBox: Box): void {
  const [lo, hi]: number[][] = [[], []];
  for (let a = 0; a < 3; a++) {
    lo!.push(Math.max(fromBox.start[a]!, toBox.start[a]!));
    hi!.push(Math.min(fromBox.start[a]! + fromBox.size[a]!, toBox.start[a]! + toBox.size[a]!));
  }
  const [z0, y0, x0] = lo as [number, number, number];
  const [z1, y1, x1] = hi as [number, number, number];
  const place = (box: Box, z: number, y: number): number =>
    ((z - box.start[0]) * box.size[1] + (y - box.start[1])) * box.size[2] + (x0 - box.start[2]);
  for (let z = z0; z < z1; z++) {
    for (let y = y0; y < y1; y++) {
      // Rows are short: a plain loop beats `set(subarray)`, which makes an object a row.
      let [at, into] = [place(fromBox, z, y), place(toBox, z, y)];
      for (let x = x0; x < x1; x++) to[into++] = from[at++]!;
    }
  }
}

/** Fills the part of a volume that lies in a box. */
function fillBox(value: number, fromBox: Box, to: Float32Array, toBox: Box): void {
  copyBox(new Float32Array(CHUNK_VOXELS).fill(value), fromBox, to, toBox);
}

/** Value of chunks that are left out: the first voxel, which is background in nearly every head. */
export function fillValueOf(data: Float32Array): number {
  const first = data[0]!;
  return Number.isFinite(first) ? first + 0 : 0; // JSON has no −0
}

function isAll(chunk: Float32Array, value: number): boolean {
  for (let i = 0; i < chunk.length; i++) if (!Object.is(chunk[i], value)) return false;
  return true;
}

/** The encoded shard of `data`, piece by piece: chunks in C order without those of nothing but `fill`, then the index. */
export async function* encodeShard(
  data: Float32Array,
  shape: Shape4,
  fill: number,
): AsyncGenerator<Uint8Array> {
  const codec = await zstd();
  const [channels, depth, height, width] = shape;
  const [, nz, ny, nx] = gridOf(shape);
  const whole: Box = { start: [0, 0, 0], size: [depth, height, width] };
  const index = new BigUint64Array(chunkCount(shape) * 2);
  let offset = 0;
  let entry = 0;
  for (let c = 0; c < channels; c++) {
    const volume = data.subarray(c * depth * height * width, (c + 1) * depth * height * width);
    for (let cell = 0; cell < nz * ny * nx; cell++) {
      const chunk = new Float32Array(CHUNK_VOXELS).fill(fill);
      copyBox(
        volume,
        whole,
        chunk,
        chunkBox(Math.floor(cell / (ny * nx)), Math.floor(cell / nx) % ny, cell % nx),
      );
      if (isAll(chunk, fill)) {
        index[entry++] = MISSING;
        index[entry++] = MISSING;
        continue;
      }
      const packed = withChecksum(await codec.encode(new Uint8Array(chunk.buffer)));
      index[entry++] = BigInt(offset);
      index[entry++] = BigInt(packed.length);
      offset += packed.length;
      yield packed;
    }
  }
  yield withChecksum(new Uint8Array(index.buffer)); // typed arrays are little endian on every machine Node runs on
}

function chunkBox(z: number, y: number, x: number): Box {
  return { start: [z * CHUNK, y * CHUNK, x * CHUNK], size: [CHUNK, CHUNK, CHUNK] };
}

export function damaged(path: string, what: string): DataError {
  return new DataError(
    "ERR_VOXELSPARK_CHECKSUM",
    `${path} is damaged: ${what}. Delete the case's folder and run the same \`voxelspark preprocess\` command again; it redoes this case only.`,
  );
}

/**
 * Where each chunk begins and, last, where they end; a missing chunk has no bytes. Checked: the chunks must cover the
 * file up to the index without gap or overlap.
 */
export async function readIndex(file: FileHandle, path: string, shape: Shape4): Promise<Float64Array> {
  const { size } = await file.stat();
  const length = indexBytes(shape);
  if (size < length) throw damaged(path, `it has ${size} bytes, its index alone has ${length}`);
  const raw = await readExactly(file, size - length, length, path);
  const body = verified(raw);
  if (!body) throw damaged(path, "the checksum of its chunk index does not match");
  const view = new DataView(body.buffer, body.byteOffset, body.byteLength);
  const index = new Float64Array(chunkCount(shape) + 1);
  let next = 0;
  for (let i = 0; i < index.length - 1; i++) {
    const [offset, bytes] = [view.getBigUint64(i * 16, true), view.getBigUint64(i * 16 + 8, true)];
    index[i] = next;
    if (offset === MISSING && bytes === MISSING) continue;
    if (Number(offset) !== next || bytes <= 4n)
      throw damaged(path, `chunk ${i} lies at byte ${offset}, expected ${next}`);
    next += Number(bytes);
  }
  if (next !== size - length)
    throw damaged(path, `its chunks end at byte ${next}, expected ${size - length}`);
  index[index.length - 1] = next;
  return index;
}

async function readExactly(
  file: FileHandle,
  position: number,
  length: number,
  path: string,
): Promise<Uint8Array> {
  const buffer = Buffer.allocUnsafeSlow(length); // filled completely below
  let got = 0;
  while (got < length) {
    const { bytesRead } = await guarded(path, "read", () =>
      file.read(buffer, got, length - got, position + got),
    );
    if (bytesRead === 0) throw damaged(path, `it ends ${length - got} bytes too early`);
    got += bytesRead;
  }
  return buffer;
}

/** An open shard. */
export interface Shard {
  readonly file: FileHandle;
  readonly path: string;
  readonly shape: Shape4;
  /** Of `readIndex`. */
  readonly index: Float64Array;
  /** Value of chunks that are left out. */
  readonly fill: number;
}

/**
 * The voxels of a box of one channel. Chunks follow each other in the file, so that each layer of them is fetched with one
 * read; only chunks that the box touches are unpacked.
 */
export async function readBox(shard: Shard, channel: number, box: Box): Promise<Float32Array> {
  const { file, path, index, fill } = shard;
  const codec = await zstd();
  const [, nz, ny, nx] = gridOf(shard.shape);
  const out = new Float32Array(box.size[0] * box.size[1] * box.size[2]);
  const first = box.start.map((s) => Math.floor(s / CHUNK));
  const last = box.start.map((s, a) => Math.floor((s + box.size[a]! - 1) / CHUNK));
  const number = (z: number, y: number, x: number): number => ((channel * nz + z) * ny + y) * nx + x;
  for (let z = first[0]!; z <= last[0]!; z++) {
    const base = index[number(z, first[1]!, first[2]!)]!;
    const end = index[number(z, last[1]!, last[2]!) + 1]!;
    const bytes = await readExactly(file, base, end - base, path);
    for (let y = first[1]!; y <= last[1]!; y++) {
      for (let x = first[2]!; x <= last[2]!; x++) {
        const i = number(z, y, x);
        const place = chunkBox(z, y, x);
        const packed = bytes.subarray(index[i]! - base, index[i + 1]! - base);
        if (packed.length === 0) fillBox(fill, place, out, box);
        else copyBox(await decodeChunk(packed, i, path, codec), place, out, box);
      }
    }
  }
  return out;
}

async function decodeChunk(packed: Uint8Array, i: number, path: string, codec: Codec): Promise<Float32Array> {
  const body = verified(packed);
  if (!body) throw damaged(path, `the checksum of chunk ${i} does not match`);
  const raw = await codec.decode(body);
  if (raw.byteLength !== CHUNK_VOXELS * 4) {
    throw damaged(path, `chunk ${i} unpacks to ${raw.byteLength} bytes, expected ${CHUNK_VOXELS * 4}`);
  }
  return new Float32Array(raw.buffer, raw.byteOffset, CHUNK_VOXELS); // the codec hands over a copy of its own
}
