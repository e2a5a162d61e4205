/** Floats in 16 bits, by a formula of the tests' own, and the check of 16-bit kernels against the float32 ones. */
import type { DType } from "../../lib";
import type { Random } from "../../lib/random";
import { drawArray, drawValues, runSample, type Sample } from "../op-suite";
import type { Variant } from "../op-suite-checks";

/** Bits of mantissa without the leading one, smallest exponent of a normal number, largest number. */
export const formats = {
  bfloat16: { mantissa: 7, least: -126, largest: 2 ** 127 * (2 - 2 ** -7) },
  float16: { mantissa: 10, least: -14, largest: 65504 },
} as const;
export const types = Object.keys(formats) as HalfType[];
export type HalfType = keyof typeof formats;

/** Rounds on the grid of the value's binade, in float64, where that is exact: no bits are shifted. */
export function nearest(v: number, { mantissa, least, largest }: (typeof formats)[HalfType]): number {
  if (!Number.isFinite(v) || v === 0) return v;
  let exponent = Math.floor(Math.log2(Math.abs(v)));
  if (2 ** exponent > Math.abs(v)) exponent--;
  if (2 ** (exponent + 1) <= Math.abs(v)) exponent++;
  const step = 2 ** (Math.max(exponent, least) - mantissa);
  const [whole, rest] = [Math.floor(v / step), v / step - Math.floor(v / step)];
  const up = rest > 0.5 || (rest === 0.5 && whole % 2 !== 0);
  const rounded = (whole + (up ? 1 : 0)) * step;
  if (Math.abs(rounded) > largest) return Math.sign(v) * Number.POSITIVE_INFINITY;
  return rounded === 0 && v < 0 ? -0 : rounded;
}

/** Half of the distance of neighbours, relative to the value. */
const unit = (dtype: HalfType) => 2 ** -(formats[dtype].mantissa + 1);

/** What stays float32 beside feature maps. */
export const isParameter = (name: string) => /^(weight|bias|gamma|beta|token|mean|variance)$/.test(name);

/**
 * Every output and gradient of a sample in 16 bits against float32 on the same device, from values that 16 bits hold.
 * What is stored in 16 bits may differ by its rounding, and where sums are added in another order by theirs; what is
 * float32 by the latter alone.
 * @param roundings how often a value on its way through the sample is stored
 */
export async function matchesFloat32(
  random: Random,
  sample: Sample,
  dtype: HalfType,
  variants: readonly Variant[],
  roundings = 1,
): Promise<void> {
  const held = (data: Float32Array) => data.map((v) => nearest(v, formats[dtype]));
  const values = Object.fromEntries(Object.entries(drawValues(random, sample)).map(([k, v]) => [k, held(v)]));
  const draw = Object.values(sample.inputs).some((i) => i.draw === "integer") ? "integer" : "normal";
  let incoming: Float32Array | undefined;
  const upstream = (shape: readonly number[]) => {
    incoming ??= held(drawArray(random, shape, draw));
    return incoming;
  };
  const wanted = await runSample(sample, values, { device: "cuda", upstream });
  const dtypeOf = (name: string): DType => (isParameter(name) ? "float32" : dtype);
  let first: string | undefined;
  for (const [variant, set] of variants) {
    set();
    const found = await runSample(sample, values, { device: "cuda", dtypeOf, upstream });
    const where = `${sample.name}, ${dtype}, ${variant}`;
    wanted.outputs.forEach((y, i) => {
      within(
        found.outputs[i],
        y,
        found.dtypes[i] === dtype ? dtype : undefined,
        roundings,
        `${where}, output ${i}`,
      );
    });
    for (const [name, g] of Object.entries(wanted.gradients))
      if (g)
        within(
          found.gradients[name],
          g,
          isParameter(name) ? undefined : dtype,
          roundings,
          `${where}, gradient of ${name}`,
        );
    const bits = JSON.stringify([found.outputs, found.gradients]);
    first ??= bits;
    if (bits !== first) throw new Error(`${where}: other bits than ${variants[0]?.[0]}`);
  }
}

/** Share of the largest value that float32 sums in two orders may differ by. */
const SUMS = 4e-6;

function within(
  found: ArrayLike<number> | undefined,
  wanted: ArrayLike<number>,
  dtype: HalfType | undefined,
  roundings: number,
  what: string,
): void {
  if (found?.length !== wanted.length)
    throw new Error(`${what}: ${found?.length} values, not ${wanted.length}`);
  let largest = 0;
  for (let i = 0; i < wanted.length; i++) largest = Math.max(largest, Math.abs(wanted[i] as number));
  const relative = dtype ? roundings * unit(dtype) : 0;
  const least = dtype ? 2 ** (formats[dtype].least - formats[dtype].mantissa - 1) : 0;
  for (let i = 0; i < wanted.length; i++) {
    const allowed = relative * Math.abs(wanted[i] as number) + SUMS * largest + least;
    const error = Math.abs((found[i] as number) - (wanted[i] as number));
    if (!(error <= allowed))
      throw new Error(
        `${what}[${i}]: ${found[i]} beside ${wanted[i]}: error ${error}, allowed is ${allowed}: relative error`,
      );
  }
}
