/** Arithmetic of the instructions' tests: whole numbers and fractions as BigInt, rounded once. */
const scratch = new DataView(new ArrayBuffer(8));

export function bitsOf(value: number, type: "f32" | "f64"): bigint {
  if (type === "f64") {
    scratch.setFloat64(0, value);
    return scratch.getBigUint64(0);
  }
  scratch.setFloat32(0, value);
  return BigInt(scratch.getUint32(0));
}
export function numberOf(bits: bigint, type: "f32" | "f64"): number {
  if (type === "f64") {
    scratch.setBigUint64(0, bits);
    return scratch.getFloat64(0);
  }
  scratch.setUint32(0, Number(bits));
  return scratch.getFloat32(0);
}

/** mantissa * 2^exponent. */
export interface Exact {
  mantissa: bigint;
  exponent: number;
}
export function exact(value: number): Exact {
  const bits = bitsOf(value, "f64");
  const field = Number((bits >> 52n) & 0x7ffn);
  const fraction = bits & ((1n << 52n) - 1n);
  const mantissa = field ? fraction | (1n << 52n) : fraction;
  return { mantissa: bits >> 63n ? -mantissa : mantissa, exponent: Math.max(field, 1) - 1075 };
}
export const times = (a: Exact, b: Exact): Exact => ({
  mantissa: a.mantissa * b.mantissa,
  exponent: a.exponent + b.exponent,
});
export function plus(a: Exact, b: Exact): Exact {
  const exponent = Math.min(a.exponent, b.exponent);
  const at = (e: Exact) => e.mantissa << BigInt(e.exponent - exponent);
  return { mantissa: at(a) + at(b), exponent };
}

export type Mode = "rn" | "rz" | "rm" | "rp";
/** Mantissa bits with the leading one, and the exponent of the last bit of the smallest number. */
export const formats = {
  f16: { digits: 11, least: -24 },
  bf16: { digits: 8, least: -133 },
  f32: { digits: 24, least: -149 },
  f64: { digits: 53, least: -1074 },
} as const;

/** As a number of the format, which must be in its range and not zero. */
export function rounded({ mantissa, exponent }: Exact, format: keyof typeof formats, mode: Mode): number {
  const { digits, least } = formats[format];
  const negative = mantissa < 0n;
  const size = negative ? -mantissa : mantissa;
  const drop = Math.max(size.toString(2).length - digits, least - exponent, 0);
  const whole = size >> BigInt(drop);
  const rest = size - (whole << BigInt(drop));
  const half = drop ? 1n << BigInt(drop - 1) : 1n;
  const nearest = rest > half || (rest === half && drop > 0 && (whole & 1n) === 1n);
  const away = rest > 0n && ((mode === "rp" && !negative) || (mode === "rm" && negative));
  const result = whole + ((mode === "rn" ? nearest && drop > 0 : away) ? 1n : 0n);
  const value = scale(Number(result), exponent + drop);
  return negative ? -value : value;
}

/** value * 2^exponent, exactly where float64 has it. */
function scale(value: number, exponent: number): number {
  let v = value;
  let e = exponent;
  for (; e < -1000; e += 1000) v *= 2 ** -1000;
  return v * 2 ** e;
}
