/** Bounded reading of binary headers: no parser of this package touches a byte without a length check. */
import { FormatError } from "../errors";

/** Reads numbers from a byte array. Every read past the end is a FormatError that names the source. */
export class ByteReader {
  private readonly view: DataView;
  offset = 0;

  constructor(
    private readonly bytes: Uint8Array,
    private readonly source: string,
    public littleEndian = true,
  ) {
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  get remaining(): number {
    return this.bytes.byteLength - this.offset;
  }

  /** The next n bytes as a view. */
  take(n: number): Uint8Array {
    return this.bytes.subarray(this.claim(n), this.offset);
  }

  skip(n: number): void {
    this.claim(n);
  }

  /** Moves to an absolute position inside the array. */
  seek(position: number): this {
    this.offset = 0;
    this.claim(position);
    return this;
  }

  u8 = (): number => this.view.getUint8(this.claim(1));
  i16 = (): number => this.view.getInt16(this.claim(2), this.littleEndian);
  u16 = (): number => this.view.getUint16(this.claim(2), this.littleEndian);
  i32 = (): number => this.view.getInt32(this.claim(4), this.littleEndian);
  u32 = (): number => this.view.getUint32(this.claim(4), this.littleEndian);
  f32 = (): number => this.view.getFloat32(this.claim(4), this.littleEndian);
  f64 = (): number => this.view.getFloat64(this.claim(8), this.littleEndian);

  /** A 64-bit integer as a number; beyond ±2⁵³ it is only approximate, and then never passes a size check. */
  i64 = (): number => Number(this.view.getBigInt64(this.claim(8), this.littleEndian));
  u64 = (): number => Number(this.view.getBigUint64(this.claim(8), this.littleEndian));

  /** `count` numbers of one kind, for example `reader.list(4, reader.f32)`. */
  list(count: number, read: () => number): number[] {
    return Array.from({ length: count }, read);
  }

  /** A fixed field of n bytes, cut at the first NUL. */
  text(n: number): string {
    const field = this.take(n);
    const end = field.indexOf(0);
    return Buffer.from(field.subarray(0, end < 0 ? n : end)).toString("latin1");
  }

  private claim(n: number): number {
    if (!Number.isInteger(n) || n < 0 || n > this.remaining) {
      throw new FormatError(
        "ERR_VOXELSPARK_TRUNCATED",
        `${this.source} is truncated: ${n} bytes expected at byte ${this.offset}, found ${this.remaining}.`,
      );
    }
    const start = this.offset;
    this.offset += n;
    return start;
  }
}
