/** CRC-32C (Castagnoli), the checksum of Zarr's `crc32c` codec; eight table look-ups take eight bytes. */

const POLYNOMIAL = 0x82f63b78; // reflected

function makeTables(): Uint32Array[] {
  const tables = Array.from({ length: 8 }, () => new Uint32Array(256));
  for (let byte = 0; byte < 256; byte++) {
    let value = byte;
    for (let bit = 0; bit < 8; bit++) value = value & 1 ? (value >>> 1) ^ POLYNOMIAL : value >>> 1;
    tables[0]![byte] = value;
  }
  for (let t = 1; t < 8; t++) {
    for (let byte = 0; byte < 256; byte++) {
      const before = tables[t - 1]![byte]!;
      tables[t]![byte] = (before >>> 8) ^ tables[0]![before & 0xff]!;
    }
  }
  return tables;
}

const [T0, T1, T2, T3, T4, T5, T6, T7] = makeTables() as [
  Uint32Array,
  Uint32Array,
  Uint32Array,
  Uint32Array,
  Uint32Array,
  Uint32Array,
  Uint32Array,
  Uint32Array,
];

/** Checksum of `bytes`, as an unsigned 32-bit number. */
export function crc32c(bytes: Uint8Array): number {
  let crc = -1;
  let i = 0;
  for (const end = bytes.length - 7; i < end; i += 8) {
    crc =
      T7[(crc ^ bytes[i]!) & 0xff]! ^
      T6[((crc >>> 8) ^ bytes[i + 1]!) & 0xff]! ^
      T5[((crc >>> 16) ^ bytes[i + 2]!) & 0xff]! ^
      T4[(crc >>> 24) ^ bytes[i + 3]!]! ^
      T3[bytes[i + 4]!]! ^
      T2[bytes[i + 5]!]! ^
      T1[bytes[i + 6]!]! ^
      T0[bytes[i + 7]!]!;
  }
  for (; i < bytes.length; i++) crc = (crc >>> 8) ^ T0[(crc ^ bytes[i]!) & 0xff]!;
  return ~crc >>> 0;
}
