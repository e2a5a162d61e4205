/** What scalar instructions must give, by formulas of the tests' own. */
import { bitsOf, type Exact, exact, type Mode, numberOf, plus, rounded, times } from "./exact";

export type Type = "u16" | "s16" | "u32" | "s32" | "u64" | "s64" | "f32" | "f64" | "pred";
export const widthOf = (type: Type) => (type === "pred" ? 1 : Number(type.slice(1)));

export interface Spelling {
  text: string;
  /** Of the result and of each operand. */
  types: readonly [Type, ...Type[]];
  /** Bits of the result, from the operands' values: bigint of integers, number of reals. */
  of: (...operands: never[]) => bigint;
  /** Which operands are not to be tried. */
  not?: (...operands: never[]) => boolean;
}

const mask = (bits: number) => (1n << BigInt(bits)) - 1n;
const isSigned = (type: Type) => type[0] === "s";

/** Edges of ranges, and numbers without a pattern. */
export function samplesOf(type: Type): (bigint | number)[] {
  if (type === "f32" || type === "f64") {
    const [tiny, huge] = type === "f32" ? [2 ** -149, 3.4028234663852886e38] : [5e-324, Number.MAX_VALUE];
    const plain = [1, -1, 0.5, -1.5, 2.5, -3.5, 3, 1 / 3, -Math.PI, 16777217, 1e10, -1e10, 1e-30, 0.9999999];
    const edges = [0, -0, tiny, -tiny, tiny * 2 ** 22 * 3, huge, -huge, Infinity, -Infinity, NaN];
    const ranges = [
      2147483647,
      2147483648,
      -2147483649,
      4294967295.5,
      2 ** 63,
      -(2 ** 63),
      2 ** 64,
      65519,
      65520,
    ];
    return [...plain, ...edges, ...ranges].map((v) => (type === "f32" ? Math.fround(v) : v));
  }
  const bits = widthOf(type);
  const top = 1n << BigInt(bits - 1);
  const patterns = [
    0n,
    1n,
    2n,
    3n,
    7n,
    31n,
    32n,
    33n,
    64n,
    100n,
    top - 1n,
    top,
    top + 1n,
    2n * top - 1n,
    2n * top - 2n,
  ];
  const all = [...patterns, 0x9e3779b97f4a7c15n, 0x123456789abcdef0n].map((v) => v & mask(bits));
  return all.map((v) => (isSigned(type) ? BigInt.asIntN(bits, v) : v));
}

const integers = ["u16", "s16", "u32", "s32", "u64", "s64"] as const;
const wider = { u16: "u32", s16: "s32", u32: "u64", s32: "s64" } as const;
const all: Spelling[] = [];
function add(text: string, types: Spelling["types"], of: unknown, not?: unknown): void {
  const bits = widthOf(types[0]);
  const cut = (...operands: never[]) => BigInt.asUintN(bits, (of as Spelling["of"])(...operands));
  all.push({ text, types, of: cut, ...(not ? { not: not as Spelling["not"] & object } : {}) });
}

const by = (count: bigint, bits: number) => (count > BigInt(bits) ? BigInt(bits) : count);
for (const t of integers) {
  const [bits, b] = [widthOf(t), `b${widthOf(t)}` as const];
  add(`add.${t}`, [t, t, t], (x: bigint, y: bigint) => x + y);
  add(`sub.${t}`, [t, t, t], (x: bigint, y: bigint) => x - y);
  add(`mul.lo.${t}`, [t, t, t], (x: bigint, y: bigint) => x * y);
  add(`mul.hi.${t}`, [t, t, t], (x: bigint, y: bigint) => (x * y) >> BigInt(bits));
  add(
    `div.${t}`,
    [t, t, t],
    (x: bigint, y: bigint) => x / y,
    (_: bigint, y: bigint) => y === 0n,
  );
  add(
    `rem.${t}`,
    [t, t, t],
    (x: bigint, y: bigint) => x % y,
    (_: bigint, y: bigint) => y === 0n,
  );
  add(`min.${t}`, [t, t, t], (x: bigint, y: bigint) => (x < y ? x : y));
  add(`max.${t}`, [t, t, t], (x: bigint, y: bigint) => (x > y ? x : y));
  add(`shr.${t}`, [t, t, "u32"], (x: bigint, n: bigint) => x >> by(n, bits));
  if (isSigned(t)) add(`neg.${t}`, [t, t], (x: bigint) => -x);
  if (isSigned(t)) continue;
  add(`shl.${b}`, [t, t, "u32"], (x: bigint, n: bigint) => x << by(n, bits));
  add(`and.${b}`, [t, t, t], (x: bigint, y: bigint) => x & y);
  add(`or.${b}`, [t, t, t], (x: bigint, y: bigint) => x | y);
  add(`xor.${b}`, [t, t, t], (x: bigint, y: bigint) => x ^ y);
  add(`not.${b}`, [t, t], (x: bigint) => ~x);
}
for (const [t, w] of Object.entries(wider) as [keyof typeof wider, Type][])
  add(`mul.wide.${t}`, [w, t, t], (x: bigint, y: bigint) => x * y);
for (const t of ["u32", "s32", "u64", "s64"] as const)
  add(`mad.lo.${t}`, [t, t, t, t], (x: bigint, y: bigint, z: bigint) => x * y + z);
add("bfi.b32", ["u32", "u32", "u32", "u32", "u32"], (x: bigint, y: bigint, from: bigint, length: bigint) => {
  const [p, n] = [from & 255n, length & 255n];
  const ones = (mask(32) >> (n > 31n ? 0n : 32n - n)) << p;
  return (y & ~(ones & mask(32))) | ((x << p) & ones & mask(32));
});

const comparisons = {
  eq: (x: number, y: number) => x === y,
  ne: (x: number, y: number) => x !== y,
  lt: (x: number, y: number) => x < y,
  le: (x: number, y: number) => x <= y,
  gt: (x: number, y: number) => x > y,
  ge: (x: number, y: number) => x >= y,
} as const;
for (const [name, holds] of Object.entries(comparisons)) {
  for (const t of integers)
    add(`setp.${name}.${t}`, ["pred", t, t], (x: never, y: never) => BigInt(holds(x, y)));
  for (const t of ["f32", "f64"] as const) {
    const anyNan = (x: number, y: number) => Number.isNaN(x) || Number.isNaN(y);
    add(`setp.${name}.${t}`, ["pred", t, t], (x: number, y: number) => BigInt(!anyNan(x, y) && holds(x, y)));
    add(`setp.${name}u.${t}`, ["pred", t, t], (x: number, y: number) => BigInt(anyNan(x, y) || holds(x, y)));
    if (name !== "eq") continue;
    add(`setp.num.${t}`, ["pred", t, t], (x: number, y: number) => BigInt(!anyNan(x, y)));
    add(`setp.nan.${t}`, ["pred", t, t], (x: number, y: number) => BigInt(anyNan(x, y)));
  }
}

/** NaN of f32 is one number; that of f64 is any, so it is left out. */
const nan32 = 0x7fffffffn;
const bits32 = (v: number) => (Number.isNaN(v) ? nan32 : bitsOf(Math.fround(v), "f32"));
const bits64 = (v: number) => bitsOf(v, "f64");
const real = (v: number) => Number.isFinite(v) && v !== 0;
function reals(op: string, of: (x: number, y: number) => number): void {
  add(`${op}.f32`, ["f32", "f32", "f32"], (x: number, y: number) => bits32(of(x, y)));
  add(
    `${op}.f64`,
    ["f64", "f64", "f64"],
    (x: number, y: number) => bits64(of(x, y)),
    (x: number, y: number) => Number.isNaN(of(x, y)),
  );
}
reals("add", (x, y) => x + y);
reals("add.rn", (x, y) => x + y);
reals("sub", (x, y) => x - y);
reals("mul", (x, y) => x * y);
reals("div.rn", (x, y) => x / y);
reals("min", (x, y) => (Number.isNaN(x) ? y : Number.isNaN(y) ? x : Math.min(x, y)));
reals("max", (x, y) => (Number.isNaN(x) ? y : Number.isNaN(y) ? x : Math.max(x, y)));
for (const [op, of] of [
  ["neg", (x: number) => -x],
  ["abs", Math.abs],
  ["sqrt.rn", Math.sqrt],
  ["rcp.rn", (x: number) => 1 / x],
] as const) {
  add(`${op}.f32`, ["f32", "f32"], (x: number) => bits32(of(x)));
  add(
    `${op}.f64`,
    ["f64", "f64"],
    (x: number) => bits64(of(x)),
    (x: number) => Number.isNaN(of(x)),
  );
}

/** One rounding of the exact sum or product; operands that give zero or leave the range are left out. */
function once(
  text: string,
  format: "f32" | "f64",
  mode: Mode,
  of: (...e: Exact[]) => Exact,
  count: number,
): void {
  const types = Array.from({ length: count + 1 }, () => format) as unknown as Spelling["types"];
  const value = (...v: number[]) => rounded(of(...v.map(exact)), format, mode);
  const fits = (v: number[]) => {
    if (!v.every(Number.isFinite) || of(...v.map(exact)).mantissa === 0n) return false;
    return Number.isFinite(Math.fround(value(...v))) && Math.abs(value(...v)) > 2 ** -1000;
  };
  add(
    text,
    types,
    (...v: number[]) => bitsOf(value(...v), format),
    (...v: number[]) => !fits(v),
  );
}
const fused = (x: Exact, y: Exact, z: Exact) => plus(times(x, y), z);
once("fma.rn.f32", "f32", "rn", fused, 3);
once("fma.rn.f64", "f64", "rn", fused, 3);
for (const mode of ["rz", "rm", "rp"] as const) {
  once(`fma.${mode}.f32`, "f32", mode, fused, 3);
  once(`add.${mode}.f32`, "f32", mode, plus, 2);
  once(`sub.${mode}.f32`, "f32", mode, (x, y) => plus(x, { ...y, mantissa: -y.mantissa }), 2);
  once(`mul.${mode}.f32`, "f32", mode, times, 2);
}

const even = (x: number) => {
  const down = Math.floor(x);
  if (x - down !== 0.5) return Math.round(x);
  return down % 2 === 0 ? down : down + 1;
};
const whole = { rzi: Math.trunc, rmi: Math.floor, rpi: Math.ceil, rni: even } as const;
for (const [how, of] of Object.entries(whole))
  for (const from of ["f32", "f64"] as const) {
    if (from === "f32") add(`cvt.${how}.f32.f32`, ["f32", "f32"], (x: number) => bits32(signed(of(x), x)));
    else add(`cvt.${how}.f64.f64`, ["f64", "f64"], (x: number) => bits64(signed(of(x), x)), Number.isNaN);
    for (const to of ["u32", "s32", "u64", "s64"] as const)
      add(`cvt.${how}.${to}.${from}`, [to, from], (x: number) => saturated(of(x), to, from));
  }
function signed(value: number, like: number): number {
  return value === 0 && (like < 0 || Object.is(like, -0)) ? -0 : value;
}
function saturated(value: number, to: "u32" | "s32" | "u64" | "s64", from: Type): bigint {
  const bits = widthOf(to);
  const top = 1n << BigInt(bits - 1);
  if (Number.isNaN(value)) return bits === 64 || from === "f64" ? top : 0n;
  const [least, most] = isSigned(to) ? [-top, top - 1n] : [0n, 2n * top - 1n];
  if (value === Infinity) return most;
  if (value === -Infinity) return least;
  const v = BigInt(value);
  return v < least ? least : v > most ? most : v;
}
for (const from of integers)
  for (const to of integers) if (from !== to) add(`cvt.${to}.${from}`, [to, from], (x: bigint) => x);
for (const from of ["u32", "s32", "u64", "s64"] as const)
  for (const to of ["f32", "f64"] as const)
    add(`cvt.rn.${to}.${from}`, [to, from], (x: bigint) =>
      bitsOf(x === 0n ? 0 : rounded({ mantissa: x, exponent: 0 }, to, "rn"), to),
    );
add("cvt.f64.f32", ["f64", "f32"], (x: number) => bits64(x), Number.isNaN);
add("cvt.rn.f32.f64", ["f32", "f64"], (x: number) => bits32(x));
add("cvt.sat.f32.f32", ["f32", "f32"], (x: number) => bits32(x > 0 ? Math.min(x, 1) : 0));

/** Bits of a 16-bit format; beyond its range there is infinity. */
function half(x: number, format: "f16" | "bf16"): bigint {
  if (Number.isNaN(x)) return 0x7fffn;
  const sign = x < 0 || Object.is(x, -0) ? 0x8000n : 0n;
  const infinity = format === "f16" ? 0x7c00n : 0x7f80n;
  if (!real(x)) return sign | (x === 0 ? 0n : infinity);
  const value = Math.abs(rounded(exact(x), format, "rn"));
  if (value === 0) return sign;
  if (format === "bf16") return sign | (bitsOf(value, "f32") >> 16n);
  if (value > 65504) return sign | infinity;
  const exponent = Math.max(Math.floor(Math.log2(value)), -14);
  const steps = BigInt(value / 2 ** (exponent - 10));
  return sign | (steps + (BigInt(exponent + 14) << 10n));
}
for (const format of ["f16", "bf16"] as const) {
  add(`cvt.rn.${format}.f32`, ["u16", "f32"], (x: number) => half(x, format));
  add(
    `cvt.rn.${format}x2.f32`,
    ["u32", "f32", "f32"],
    (x: number, y: number) => (half(x, format) << 16n) | half(y, format),
  );
}
add("cvt.f32.bf16", ["f32", "u16"], (x: bigint) => bits32(numberOf(x << 16n, "f32")));
add("cvt.f32.f16", ["f32", "u16"], (x: bigint) => {
  const [sign, field, fraction] = [x >> 15n ? -1 : 1, Number((x >> 10n) & 31n), Number(x & 1023n)];
  if (field === 31) return bits32(fraction ? NaN : sign * Infinity);
  return bits32(sign * (field ? (1024 + fraction) * 2 ** (field - 25) : fraction * 2 ** -24));
});
const flushed = (x: number) => (Math.abs(x) < 2 ** -126 ? signed(0, x) : x);
add("rcp.approx.ftz.f32", ["f32", "f32"], (x: number) => bits32(flushed(Math.fround(1 / flushed(x)))));
// Where float64's power of two is exact.
add(
  "ex2.approx.ftz.f32",
  ["f32", "f32"],
  (x: number) => bits32(flushed(Math.fround(2 ** flushed(x)))),
  (x: number) => Number.isFinite(x) && !Number.isInteger(flushed(x)),
);

export const spellings: readonly Spelling[] = all;
