/**
 * Bounded decompression of .nii.gz. node:zlib checks CRC and length and reads every member of the file; this
 * file adds the bounds: nothing is allocated before the header is known, and the output never grows past it.
 */
import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import { Readable, type Transform } from "node:stream";
import { createGunzip } from "node:zlib";
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

/** A file by its path, or its bytes. */
type Input = string | Uint8Array;

/** The bytes of an input from `start` up to `end`. */
const streamOf = (
  input: Input,
  highWaterMark = 1 << 20,
  start = 0,
  end = Number.POSITIVE_INFINITY,
): Readable =>
  typeof input === "string"
    ? createReadStream(input, { highWaterMark, start, end: end - 1 })
    : Readable.from([input.subarray(start, end)]);

/** What `through` makes of `from`, also where it ends before `from` does. */
async function* passed(from: Readable, through?: Transform): AsyncGenerator<Uint8Array> {
  if (through) from.on("error", (error) => through.destroy(error)).pipe(through); // pipe() passes no errors on
  try {
    yield* through ?? from;
  } finally {
    from.destroy();
  }
}

/**
 * Feeds a file, or bytes in memory, through gunzip where it is compressed, into a sink. Zeros behind the compressed
 * bytes are padding; anything else there that is no gzip is an error.
 */
export async function readInto(
  makeSink: (available: number) => BoundedSink,
  input: Input,
  size: number,
  compressed: boolean,
  source: string,
): Promise<Uint8Array> {
  const sink = makeSink(compressed ? size * MAX_RATIO : size);
  // Chunks of 64 KiB for small files, 1 MiB for volumes: the buffer is allocated anew for each chunk.
  const chunkSize = size < 1 << 20 ? 1 << 16 : 1 << 20;
  try {
    const gunzip = compressed ? createGunzip({ chunkSize }) : undefined;
    for await (const part of passed(streamOf(input), gunzip)) sink.push(part);
  } catch (error) {
    throw await translate(error, { input, source, size, received: sink.received });
  }
  return sink.finish();
}

/** The first `length` uncompressed bytes of a file, fewer if it is shorter. */
export async function readHead(path: string, compressed: boolean, length: number): Promise<Uint8Array> {
  let head = Buffer.alloc(0);
  const chunkSize = 1 << 12;
  try {
    const gunzip = compressed ? createGunzip({ chunkSize }) : undefined;
    for await (const part of passed(streamOf(path, chunkSize), gunzip)) {
      head = Buffer.concat([head, part]);
      if (head.length >= length) break;
    }
  } catch (error) {
    const { size } = await stat(path);
    throw await translate(error, { input: path, source: path, size, received: head.length });
  }
  return head;
}

/** What was read when an error came: an input with its name and size, and the bytes unpacked so far. */
interface Reading {
  input: Input;
  source: string;
  size: number;
  received: number;
}

async function translate(error: unknown, reading: Reading): Promise<unknown> {
  const { source, size, received } = reading;
  const { code = "", message, syscall } = error as NodeJS.ErrnoException;
  // zlib's words for bytes where another member should begin, since the first one was complete, and for a single one.
  if (message === "incorrect header check" || (code === "Z_BUF_ERROR" && (await endsInStrayByte(reading))))
    return damaged(
      `${source} is damaged: behind its gzip stream, which is complete, are bytes that are neither gzip nor zeros.`,
    );
  if (code === "Z_BUF_ERROR")
    return new FormatError(
      "ERR_VOXELSPARK_TRUNCATED",
      `${source} is truncated: the gzip stream does not end within its ${size} bytes (${received} bytes unpacked).`,
      { cause: error },
    );
  if (code.startsWith("Z_"))
    return damaged(`${source} is damaged: gzip reports "${message}" after ${received} unpacked bytes.`);
  return syscall ? ioError("read", source, error) : error;

  function damaged(sentence: string): FormatError {
    return new FormatError("ERR_VOXELSPARK_FORMAT", sentence, { cause: error });
  }
}

/** Whether the gzip stream is complete but for the last byte, which is none that another member could begin with. */
async function endsInStrayByte({ input, size }: Reading): Promise<boolean> {
  let last: number | undefined;
  for await (const bytes of streamOf(input, undefined, size - 1, size)) last = bytes[0];
  if (last === 0x1f) return false;
  try {
    for await (const _ of passed(streamOf(input, undefined, 0, size - 1), createGunzip()));
    return true;
  } catch {
    return false;
  }
}
