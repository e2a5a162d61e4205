/** Scalar instructions on the machine, each alone, so that its mistakes do not hide those of kernels. */

import { runKernel } from "./driver";
import { bitsOf } from "./exact";
import { type Spelling, samplesOf, spellings, type Type, widthOf } from "./scalars";

type Value = bigint | number;
const OPERANDS = 4;
const ROW = 8 * (OPERANDS + 1); // bytes: the result, then operands

/** Every sample of the first operand with several of the others, so that each meets many. */
function rowsOf({ types, not }: Spelling): Value[][] {
  const samples = types.slice(1).map((t) => samplesOf(t as Type));
  const rows: Value[][] = [];
  const first = samples[0] as Value[];
  const steps = samples.length === 1 ? 1 : samples.length === 2 ? samples[1]!.length : 40;
  first.forEach((value, i) => {
    for (let step = 0; step < steps; step++)
      rows.push([
        value,
        ...samples
          .slice(1)
          .map((s, k) => s[(step * (2 * k + 1) + (k ? i * (k + 3) : 0)) % s.length] as Value),
      ]);
  });
  return rows.filter((row) => !not?.(...(row as never[])));
}

const registers: Record<Type, string> = {
  ...({ u16: "%h", s16: "%h", u32: "%r", s32: "%r", u64: "%rd", s64: "%rd" } as const),
  ...({ f32: "%f", f64: "%fd", pred: "%p" } as const),
};
const bitsOfValue = (v: Value, type: Type) =>
  typeof v === "number" ? bitsOf(v, type as "f32" | "f64") : BigInt.asUintN(widthOf(type), v);

function kernelOf({ text, types }: Spelling): string {
  const [to, ...from] = types;
  const names = from.map((t, k) => `${registers[t]}${k + 10}`);
  const lines = [`mul.wide.u32 %rd1, %thread, ${ROW};`, "mov.u32 %r1, %ctaid.x;", "mov.u32 %r2, %ntid.x;"];
  lines.push(
    "mad.lo.u32 %r1, %r1, %r2, %thread;",
    `mul.wide.u32 %rd1, %r1, ${ROW};`,
    "add.s64 %rd1, %rd1, %buffer;",
  );
  from.forEach((t, k) => {
    lines.push(`ld.global.b${widthOf(t)} ${names[k]}, [%rd1+${8 * (k + 1)}];`);
  });
  const result = `${registers[to]}1${to === "u64" || to === "s64" ? "9" : to === "pred" ? "" : "9"}`;
  lines.push(`${text} ${[result, ...names].join(", ")};`);
  if (to === "pred") lines.push(`selp.u32 %r20, 1, 0, ${result};`, "st.global.u32 [%rd1], %r20;");
  else lines.push(`st.global.b${widthOf(to)} [%rd1], ${result};`);
  return lines.join("\n");
}

test.each(spellings.map((s) => [s.text, s] as const))("%s", (_, spelling) => {
  const rows = rowsOf(spelling);
  expect(rows.length).toBeGreaterThan(4);
  const blocks = Math.ceil(rows.length / 64);
  const buffer = Buffer.alloc(blocks * 64 * ROW);
  const pad = rows[0] as Value[];
  for (let r = 0; r < blocks * 64; r++)
    (rows[r] ?? pad).forEach((v, k) => {
      buffer.writeBigUInt64LE(bitsOfValue(v, spelling.types[k + 1] as Type), r * ROW + 8 * (k + 1));
    });
  const { complaint, output } = runKernel({ body: kernelOf(spelling), blocks, threads: 64 }, buffer);
  expect(complaint).toBe("");
  const wrong = rows.flatMap((row, r) => {
    const [found, wanted] = [output.readBigUInt64LE(r * ROW), spelling.of(...(row as never[]))];
    return found === wanted
      ? []
      : [`${row.join(", ")}: 0x${found.toString(16)}, not 0x${wanted.toString(16)}`];
  });
  expect(wrong.slice(0, 5)).toEqual([]);
});
