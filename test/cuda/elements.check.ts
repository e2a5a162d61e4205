/** Floats in 16 bits: the cast's rounding beside a formula of its own, and what a tensor gives and gets. */
import { cast, type DType, full, scope, stats, Tape, tensor } from "../../lib";
import { rng } from "../../lib/random";
import { freeAfterEach } from "../lifetime";
import { looseMask, maskedData } from "../masks";
import { drawMask } from "../op-suite";
import { formats, nearest, types } from "./half";

freeAfterEach();

/** Numbers of all sizes, ties among them, and the edges of the formats. */
function numbers(): Float32Array {
  const random = rng(7, 0, "test");
  const values = [
    0,
    -0,
    Number.NaN,
    Number.POSITIVE_INFINITY,
    Number.NEGATIVE_INFINITY,
    1,
    -1,
    1e-45,
    3.4028235e38,
  ];
  for (const edge of [
    65504,
    65519.996,
    65520,
    65536,
    2 ** -14,
    2 ** -24,
    2 ** -25,
    1.5 * 2 ** -25,
    2 ** -126,
  ])
    values.push(edge, -edge);
  for (let i = 0; i < 20000; i++) {
    const exponent = random.int(277) - 149;
    const bits = [7, 8, 10, 11, 23][random.int(5)] as number;
    values.push((random.int(2) ? 1 : -1) * (1 + random.int(2 ** bits) / 2 ** bits) * 2 ** exponent);
  }
  return Float32Array.from(values);
}

test.each(types)("a cast to %s rounds to the nearest, ties to even; so does an upload", async (dtype) => {
  const values = numbers();
  const wanted = Float32Array.from(values, (v) => nearest(v, formats[dtype]));
  const x = tensor(values, [values.length], { device: "cuda" });
  const y = cast(x, dtype);
  expect(y.dtype).toBe(dtype);
  expect(await y.data()).toEqual(wanted);
  expect(await cast(y, "float32").data()).toEqual(wanted);
  expect(await tensor(values, [values.length], { device: "cuda", dtype }).data()).toEqual(wanted);
});

test("between the two types the value passes through both grids", async () => {
  const x = tensor([1 + 2 ** -9, 70000, 1e-30], [3], { device: "cuda", dtype: "bfloat16" });
  expect(Array.from(await cast(x, "float16").data())).toEqual([1, Number.POSITIVE_INFINITY, 0]);
});

test.each(types)("%s keeps masks, takes two bytes, fills and is written in place", async (dtype) => {
  const random = rng(8, 0, "test");
  const [shape, grid] = [[2, 12, 8, 8, 8], [2, 2, 2] as [number, number, number]];
  const mask = looseMask({ ...drawMask(random, 2, grid)!, grid });
  const data = Float32Array.from({ length: 2 * 12 * 512 }, () => random.int(200) - 100);
  const before = stats("cuda").liveBytes;
  const x = tensor(data, shape, { device: "cuda", dtype, mask });
  const share = mask.visibleShare;
  expect(stats("cuda").liveBytes - before).toBe(Math.max(512, 2 * data.length * share));
  expect(await x.data()).toEqual(maskedData(data, shape, mask));
  const y = full(shape, 0.1, { device: "cuda", dtype, mask });
  expect(await y.data()).toEqual(
    maskedData(new Float32Array(data.length).fill(nearest(Math.fround(0.1), formats[dtype])), shape, mask),
  );
  y.set(data);
  expect(await y.data()).toEqual(await x.data());
});

test.each(types)("the gradient of a cast to %s is float32 again", async (dtype) => {
  const x = tensor([1, 2, 3], [3], { device: "cuda", requiresGrad: true });
  const tape = new Tape();
  const y = scope(() => tape.record(() => cast(x, dtype)));
  tape.backward(y, tensor([1, -2, 0.5], [3], { device: "cuda", dtype }));
  expect([x.grad?.dtype, Array.from(await x.grad!.data())]).toEqual([
    "float32" satisfies DType,
    [1, -2, 0.5],
  ]);
});
