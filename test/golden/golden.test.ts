import {
  type GoldenCase,
  type GoldenMask,
  type GoldenTensor,
  goldenCases,
  goldenS3D,
  readGoldenIndex,
} from "./golden";
import { pattern } from "./pattern";

const ops = [...new Set(readGoldenIndex("ops.json").cases.map((c) => c.op))];
const product = (values: readonly number[]) => values.reduce((a, b) => a * b, 1);

test.each(ops)("golden file of %s is complete and finite", (op) => {
  for (const c of goldenCases(op)) {
    for (const tensor of [c.inputs, c.outputs, c.upstream, c.grads].flatMap((g) => Object.values(g))) {
      expect(tensor.data.length).toBe(product(tensor.shape));
      expect(tensor.data.every(Number.isFinite)).toBe(true);
    }
    if (c.mask) expect(c.mask.visible.length).toBe(c.mask.samples * product(c.mask.grid));
    for (const [key, grad] of Object.entries(c.grads)) expect(grad.shape).toEqual(c.inputs[key]?.shape);
  }
});

/** Whether voxel (z, y, x) of sample n lies in a visible cell. */
function visible(mask: GoldenMask | null, n: number, voxel: number[], size: readonly number[]): boolean {
  if (!mask) return true;
  const cell = voxel.reduce((id, v, axis) => {
    const cells = mask.grid[axis] as number;
    return id * cells + Math.floor((v * cells) / (size[axis] as number));
  }, 0);
  return mask.visible[n * product(mask.grid) + cell] === 1;
}

/** Masked convolution by definition; shows that layout, mask order and attributes are read as they were written. */
function naiveConv(c: GoldenCase): number[] {
  const { x, weight, bias } = c.inputs as Record<string, { shape: number[]; data: Float32Array }>;
  if (!x || !weight) throw new Error("conv3d case without x or weight");
  const [, cIn, ...size] = x.shape as [number, number, number, number, number];
  const [, , ...kernel] = weight.shape as [number, number, number, number, number];
  const [samples, cOut, ...out] = (c.outputs.y as GoldenTensor).shape as [
    number,
    number,
    number,
    number,
    number,
  ];
  const at = (n: number, ch: number, v: number[]) =>
    v.every((p, a) => p >= 0 && p < (size[a] as number)) && visible(c.mask, n, v, size)
      ? (x.data[v.reduce((i, p, a) => i * (size[a] as number) + p, n * cIn + ch)] as number)
      : 0;
  const cells = (extent: number[]) =>
    Array.from({ length: product(extent) }, (_, i) => [
      Math.floor(i / ((extent[1] as number) * (extent[2] as number))),
      Math.floor(i / (extent[2] as number)) % (extent[1] as number),
      i % (extent[2] as number),
    ]);
  const taps = cells(kernel);
  const values: number[] = [];
  for (let n = 0; n < samples; n++)
    for (let k = 0; k < cOut; k++)
      for (const v of cells(out)) {
        let sum = bias?.data[k] ?? 0;
        for (let ch = 0; ch < cIn; ch++)
          taps.forEach((tap, t) => {
            const from = tap.map(
              (p, a) => (v[a] as number) * c.attributes.stride[a] + p - c.attributes.padding[a],
            );
            sum += at(n, ch, from) * (weight.data[(k * cIn + ch) * taps.length + t] as number);
          });
        values.push(visible(c.mask, n, v, out) ? sum : 0);
      }
  return values;
}

test.each(
  goldenCases("conv3d")
    .filter((c) => c.exact)
    .map((c) => [c.name, c] as const),
)("conv3d %s equals the definition bit for bit", (_, c) => {
  expect(naiveConv(c).map((v) => v + 0)).toEqual(Array.from(c.outputs.y?.data ?? [], (v) => v + 0));
});

test.each(["instance", "batch", "instance_anisotropic", "batch_anisotropic", "coarse_dense", "coarse_any"])(
  "golden S3D %s: the pattern is the generator's, every trained weight has a gradient",
  (name) => {
    const { entry, tensors } = goldenS3D(name);
    const x = pattern(entry.input.seed, entry.input.step, entry.mask.samples, entry.patch);
    expect(Array.from(x.subarray(0, 4))).toEqual(entry.input.first);
    expect(x.reduce((sum, v) => sum + v, 0)).toBe(entry.input.sum);
    for (const key of tensors.keys()) {
      const parameter = key.startsWith("state.") && !key.includes("running") ? key.slice(6) : undefined;
      if (parameter)
        expect(tensors.has(`grad.${parameter}`)).toBe(!entry.withoutGradient.includes(parameter));
    }
  },
);
