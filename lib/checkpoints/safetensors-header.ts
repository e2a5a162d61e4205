/** The JSON header of a safetensors file: every rule of the reference implementation, in both directions. */
import { isRecord, shown } from "../arguments";
import { CheckpointError } from "../errors";
import { JsonError, parseJson } from "../json";

/** Bits of an element of every dtype that the format knows. */
const BITS = {
  F4: 4,
  F6_E2M3: 6,
  F6_E3M2: 6,
  BOOL: 8,
  U8: 8,
  I8: 8,
  F8_E5M2: 8,
  F8_E4M3: 8,
  F8_E8M0: 8,
  F8_E4M3FNUZ: 8,
  F8_E5M2FNUZ: 8,
  I16: 16,
  U16: 16,
  F16: 16,
  BF16: 16,
  I32: 32,
  U32: 32,
  F32: 32,
  C64: 64,
  F64: 64,
  I64: 64,
  U64: 64,
} as const;

export type SafetensorsDtype = keyof typeof BITS;
/** Largest header, as in the reference implementation. */
export const MAX_HEADER_BYTES = 100_000_000;

export interface Located {
  dtype: SafetensorsDtype;
  shape: readonly number[];
  /** First byte and the one behind the last, from the start of the file. */
  start: number;
  end: number;
}

/** What a tensor to be written says about itself. */
export interface Announced {
  name: string;
  shape: readonly number[];
  dtype?: SafetensorsDtype;
}

export interface Header {
  entries: Map<string, Located>;
  metadata: Record<string, string>;
}

/** Validates a header; `dataStart` and `size` are the first byte behind it and the size of the file. */
export function parseHeader(file: string, bytes: Uint8Array, dataStart: number, size: number): Header {
  let json: unknown;
  try {
    if (bytes[0] !== 0x7b) throw new JsonError("not an object: it must begin with {");
    json = parseJson(bytes, { maxDepth: 4, integersOnly: true });
  } catch (error) {
    if (error instanceof JsonError)
      throw bad(file, `the header cannot be read: ${error.message}`, "InvalidHeaderDeserialization");
    throw error;
  }
  const { __metadata__: metadata, ...tensors } = json as Record<string, unknown>;
  const listed = Object.entries(tensors).map(([name, info]) => ({ name, ...checkInfo(file, name, info) }));
  listed.sort((a, b) => a.begin - b.begin || a.end - b.end);
  const entries = new Map<string, Located>();
  let expected = 0;
  for (const { name, dtype, shape, begin, end } of listed) {
    // Contiguous from 0: neither gaps, which could hide content, nor overlaps, which multiply it.
    if (begin !== expected || end < begin) {
      throw bad(
        file,
        `tensor ${shown(name)} lies at [${begin}, ${end}), it must begin at ${expected}`,
        "InvalidOffset",
      );
    }
    checkSpan(file, name, dtype, shape, end - begin);
    entries.set(name, { dtype, shape, start: dataStart + begin, end: dataStart + end });
    expected = end;
  }
  if (dataStart + expected !== size) {
    throw bad(
      file,
      `its tensors end at byte ${dataStart + expected}, the file has ${size} bytes`,
      "MetadataIncompleteBuffer",
    );
  }
  return { entries, metadata: checkMetadata(file, metadata) };
}

function checkInfo(file: string, name: string, info: unknown) {
  const { dtype, shape, data_offsets: offsets } = (isRecord(info) ? info : {}) as Record<string, unknown>;
  if (typeof dtype !== "string" || !Object.hasOwn(BITS, dtype)) {
    const allowed = Object.keys(BITS).join(", ");
    throw bad(
      file,
      `tensor ${shown(name)} has dtype ${shown(dtype)}, allowed: ${allowed}`,
      "InvalidHeaderDeserialization",
    );
  }
  if (!isSizes(shape)) {
    throw bad(
      file,
      `tensor ${shown(name)} has shape ${shown(shape)}, a list of sizes is needed`,
      "InvalidHeaderDeserialization",
    );
  }
  if (!isSizes(offsets) || offsets.length !== 2) {
    throw bad(
      file,
      `tensor ${shown(name)} has offsets ${shown(offsets)}, [begin, end] is needed`,
      "InvalidHeaderDeserialization",
    );
  }
  return { dtype: dtype as SafetensorsDtype, shape, begin: offsets[0]!, end: offsets[1]! };
}

function checkSpan(
  file: string,
  name: string,
  dtype: SafetensorsDtype,
  shape: readonly number[],
  span: number,
): void {
  let bits: number = 1;
  for (const factor of [...shape, BITS[dtype]]) {
    bits *= factor;
    if (bits > Number.MAX_SAFE_INTEGER) {
      throw bad(
        file,
        `tensor ${shown(name)} of shape [${shape.join(", ")}] is too large to count`,
        "ValidationOverflow",
      );
    }
  }
  if (bits % 8 !== 0) throw bad(file, `tensor ${shown(name)} does not fill whole bytes`, "MisalignedSlice");
  if (bits / 8 !== span) {
    const needed = `shape [${shape.join(", ")}] of ${dtype} needs ${bits / 8}`;
    throw bad(file, `tensor ${shown(name)} spans ${span} bytes, ${needed}`, "TensorInvalidInfo");
  }
}

function checkMetadata(file: string, metadata: unknown): Record<string, string> {
  if (metadata === undefined || metadata === null) return {};
  if (isRecord(metadata) && Object.values(metadata).every((v) => typeof v === "string")) {
    return metadata as Record<string, string>;
  }
  throw bad(
    file,
    `__metadata__ is ${shown(metadata)}, texts by name are needed`,
    "InvalidHeaderDeserialization",
  );
}

/** Length and header for tensors laid end to end in this order. */
export function encodeHeader(
  file: string,
  tensors: readonly Announced[],
  metadata: Readonly<Record<string, string>>,
): Uint8Array {
  const header = new Map<string, unknown>();
  if (Object.keys(metadata).length > 0) header.set("__metadata__", metadata);
  let at = 0;
  for (const { name, shape, dtype = "F32" } of tensors) {
    if (name === "__metadata__" || name === "__proto__" || header.has(name)) {
      throw bad(file, `cannot be written: the tensor name ${shown(name)} is reserved or used twice`);
    }
    if (!isSizes(shape))
      throw bad(file, `cannot be written: tensor ${shown(name)} has shape ${shown(shape)}`);
    const bytes = (shape.reduce((n, size) => n * size, 1) * BITS[dtype]) / 8;
    if (!Number.isSafeInteger(at + bytes))
      throw bad(file, `cannot be written: tensor ${shown(name)} is too large`);
    header.set(name, { dtype, shape, data_offsets: [at, at + bytes] });
    at += bytes;
  }
  const fields = [...header].map(([name, value]) => `${JSON.stringify(name)}:${JSON.stringify(value)}`);
  const json = Buffer.from(`{${fields.join(",")}}`);
  const padded = Math.ceil(json.length / 8) * 8; // data then begins at a multiple of 8 bytes
  if (padded > MAX_HEADER_BYTES)
    throw bad(file, `cannot be written: its header has ${padded} bytes`, "HeaderTooLarge");
  const out = Buffer.alloc(8 + padded, 0x20);
  out.writeBigUInt64LE(BigInt(padded));
  json.copy(out, 8);
  return out;
}

function isSizes(value: unknown): value is number[] {
  return Array.isArray(value) && value.every((size) => Number.isSafeInteger(size) && size >= 0);
}

export function bad(file: string, what: string, rule?: string): CheckpointError {
  const name = rule === undefined ? "" : ` [${rule}]`;
  return new CheckpointError("ERR_VOXELSPARK_CHECKPOINT", `${file}: ${what}${name}.`);
}
