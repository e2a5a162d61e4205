/**
 * Bounded decompression of .nii.gz. node:zlib checks CRC and length and reads every member of the file; this
 * file adds the bounds: nothing is allocated before the header is known, and the output never grows past it.
 */
import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import { Readable, type Transform } from "node:stream";
import { createGunzip, createInflateRaw } from "node:zlib";
import { FormatError } from "../errors";
import { ioError } from "../files";

/** Bytes allowed behind the last voxel: padding and trailing extensions of sloppy writers. */
const SLACK_BYTES = 64 * 1024;
// DEFLATE cannot shrink below 1:1032, so a stream of n bytes never yields more than this many.
const MAX_RATIO = 1032;

export function isGzip(start: Uint8Array): boolean {
  return start[0] === 0x1f && start[1] === 0x8b;
}

/** Takes the uncompressed bytes in order. `plan` is asked once for the total length, from the first bytes. */
export class BoundedSink {
  private head = Buffer.alloc(0);
  private target: Uint8Array | undefined;
  received = 0;

  /**
   * @param headLength bytes that `plan` needs to see
   * @param plan total number of bytes that the header asks for
   * @param available the most bytes that the input can still yield, checked before allocating
   */
  constructor(
    private readonly source: string,
    private readonly headLength: number,
    private readonly plan: (head: Uint8Array) => number,
    private readonly available: number,
  ) {}

  push(chunk: Uint8Array): void {
    this.received += chunk.length;
    if (this.target) {
      this.copy(chunk, this.received - chunk.length);
      return;
    }
    this.head = Buffer.concat([this.head, chunk]);
    if (this.head.length >= this.headLength) this.allocate();
  }

  /** All bytes, exactly as many as the header asks for. */
  finish(): Uint8Array {
    if (!this.target) this.allocate(); // a short file: `plan` reports what is missing
    const target = this.target!;
    if (this.received < target.length) throw truncated(this.source, target.length, this.received);
    return target;
  }

  private allocate(): void {
    const total = this.plan(this.head);
    if (total > this.available) {
      throw truncated(
        this.source,
        total,
        this.received,
        ` (a file of this size holds at most ${this.available})`,
      );
    }
    this.target = new Uint8Array(total);
    this.copy(this.head, 0);
    this.head = Buffer.alloc(0);
  }

  private copy(chunk: Uint8Array, at: number): void {
    const target = this.target!;
    if (this.received > target.length + SLACK_BYTES) {
      throw new FormatError(
        "ERR_VOXELSPARK_TOO_LARGE",
        `${this.source}: the header asks for ${target.length} bytes, but the file holds more than ` +
          `${SLACK_BYTES} bytes beyond them. Header and voxels do not belong together.`,
      );
    }
    if (at < target.length) target.set(chunk.subarray(0, target.length - at), at);
  }
}

function truncated(source: string, expected: number, found: number, note = ""): FormatError {
  return new FormatError(
    "ERR_VOXELSPARK_TRUNCATED",
    `${source} is truncated: ${expected} bytes expected, found ${found}${note}.`,
  );
}

const streamOf = (input: string | Uint8Array, start = 0, highWaterMark = 1 << 20): Readable =>
  typeof input === "string"
    ? createReadStream(input, { start, highWaterMark })
    : Readable.from([input.subarray(start)]);

/** What `through` makes of `from`, also where it ends before `from` does. */
async function* passed(from: Readable, through?: Transform): AsyncGenerator<Uint8Array> {
  if (through) from.on("error", (error) => through.destroy(error)).pipe(through); // pipe() passes no errors on
  try {
    yield* through ?? from;
  } finally {
    from.destroy();
  }
}

/** Length of a gzip header: ten bytes and what the fourth announces (RFC 1952). */
function gzipHeaderLength(bytes: Uint8Array): number {
  const flags = bytes[3] ?? 0;
  let length = 10;
  if (flags & 4) length += 2 + (bytes[length] ?? 0) + 256 * (bytes[length + 1] ?? 0);
  for (const text of [8, 16]) if (flags & text) length = bytes.indexOf(0, length) + 1;
  return flags & 2 ? length + 2 : length;
}

/** The first member of a gzip file, whatever follows it. Its checksum is not looked at. */
async function* firstMember(input: string | Uint8Array, chunkSize: number): AsyncGenerator<Uint8Array> {
  let start: Uint8Array = new Uint8Array(0);
  for await (const part of passed(streamOf(input))) {
    start = part; // of a file its first megabyte
    break;
  }
  const from = streamOf(input, gzipHeaderLength(start), chunkSize);
  yield* passed(from, createInflateRaw({ chunkSize }));
}

/**
 * Feeds a file, or bytes in memory, through gunzip where it is compressed, into a sink. Bytes that are no gzip behind
 * the compressed ones are left aside, as nibabel, ITK and gunzip do.
 * @param warnings gets a sentence about such bytes
 */
export async function readInto(
  makeSink: (available: number) => BoundedSink,
  input: string | Uint8Array,
  size: number,
  compressed: boolean,
  source: string,
  warnings: string[] = [],
): Promise<Uint8Array> {
  let sink = makeSink(compressed ? size * MAX_RATIO : size);
  const fill = async (parts: AsyncIterable<Uint8Array>) => {
    for await (const part of parts) sink.push(part);
  };
  // Chunks of 64 KiB for small files, 1 MiB for volumes: the buffer is allocated anew for each chunk.
  const chunkSize = size < 1 << 20 ? 1 << 16 : 1 << 20;
  try {
    await fill(passed(streamOf(input), compressed ? createGunzip({ chunkSize }) : undefined)).catch(
      async (error: Error) => {
        if (!isTrailing(error)) throw error;
        sink = makeSink(size * MAX_RATIO); // what was unpacked last is lost with the error
        await fill(firstMember(input, chunkSize));
        warnings.push(`${source}: what follows its gzip stream is no gzip and was left aside.`);
      },
    );
  } catch (error) {
    throw await translate(error, source, size, sink.received);
  }
  return sink.finish();
}

/** zlib's word for bytes where a member would begin: those before it, at least one, were complete and checked. */
const isTrailing = (error: Error) => error.message === "incorrect header check";

/** The first `length` uncompressed bytes of a file, fewer if it is shorter. */
export async function readHead(path: string, compressed: boolean, length: number): Promise<Uint8Array> {
  let head = Buffer.alloc(0);
  const take = async (parts: AsyncIterable<Uint8Array>) => {
    head = Buffer.alloc(0);
    for await (const part of parts) {
      head = Buffer.concat([head, part]);
      if (head.length >= length) break;
    }
  };
  const chunkSize = 1 << 12;
  try {
    const gunzip = compressed ? createGunzip({ chunkSize }) : undefined;
    await take(passed(streamOf(path, 0, chunkSize), gunzip)).catch(async (error: Error) => {
      if (!isTrailing(error)) throw error;
      await take(firstMember(path, chunkSize));
    });
  } catch (error) {
    throw await translate(error, path, (await stat(path)).size, head.length);
  }
  return head;
}

async function translate(error: unknown, source: string, size: number, received: number): Promise<unknown> {
  const code = (error as NodeJS.ErrnoException).code ?? "";
  if (code === "Z_BUF_ERROR") {
    return new FormatError(
      "ERR_VOXELSPARK_TRUNCATED",
      `${source} is truncated: the gzip stream does not end within its ${size} bytes (${received} bytes unpacked).`,
      { cause: error },
    );
  }
  if (code.startsWith("Z_")) {
    const reason = (error as Error).message;
    return new FormatError(
      "ERR_VOXELSPARK_FORMAT",
      `${source} is damaged: gzip reports "${reason}" after ${received} unpacked bytes.`,
      {
        cause: error,
      },
    );
  }
  return (error as NodeJS.ErrnoException).syscall ? ioError("read", source, error) : error;
}
