import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Tape } from "../../lib/autograd";
import { native } from "../../lib/binding";
import { resampleAffine, resize } from "../../lib/ops/resample";
import { rng } from "../../lib/random";
import { setThreads, type Tensor, type TensorOptions, tensor } from "../../lib/tensor";

type Triple = [number, number, number];
interface Case {
  shape: Triple;
  size: Triple;
  order: 0 | 1 | 3;
  axis: 0 | 1 | 2;
  every: number;
  matrix: number[];
  x: number[];
  y: number[];
}
const golden: Record<"separable" | "separateZ" | "affine", Case[]> = JSON.parse(
  readFileSync(join(__dirname, "../golden/resample.json"), "utf8"),
);

const DEVICES: [string, TensorOptions, number][] = [
  ["cpu", { device: "cpu" }, 2e-6],
  ["reference float32", { device: "reference" }, 2e-6],
  ["reference float64", { device: "reference", dtype: "float64" }, 1e-8],
];

const volume = (values: ArrayLike<number>, shape: Triple, options: TensorOptions = {}): Tensor =>
  tensor(Float32Array.from(values), [1, 1, ...shape], options);

async function values(t: Tensor): Promise<number[]> {
  const data = [...(await t.data())];
  t.dispose();
  return data;
}

function worst(a: ArrayLike<number>, b: ArrayLike<number>): number {
  expect(a.length).toBe(b.length);
  let difference = 0;
  for (let i = 0; i < a.length; i++) difference = Math.max(difference, Math.abs(a[i]! - b[i]!));
  return difference;
}

describe.each(DEVICES)("on %s", (_name, options, tolerance) => {
  test.each(golden.separable)("resize $shape → $size, order $order, is skimage's", async (c) => {
    const x = volume(c.x, c.shape, options);
    const y = await values(resize(x, c.size, { order: c.order }));
    expect(
      worst(
        y.filter((_, i) => i % c.every === 0),
        c.y,
      ),
    ).toBeLessThan(tolerance);
    x.dispose();
  });

  test.each(golden.separateZ)("thick slices along axis $axis", async (c) => {
    const x = volume(c.x, c.shape, options);
    const order: (0 | 3)[] = [3, 3, 3];
    order[c.axis] = 0;
    const y = resize(x, c.size, { order: order as [0 | 3, 0 | 3, 0 | 3], clipAxis: c.axis });
    expect(worst(await values(y), c.y)).toBeLessThan(tolerance);
    x.dispose();
  });

  test.each(golden.affine)("affine $shape → $size, order $order, is scipy's", async (c) => {
    const x = volume(c.x, c.shape, options);
    const y = await values(resampleAffine(x, c.size, c.matrix, { order: c.order, outside: -7 }));
    expect(worst(y, c.y)).toBeLessThan(tolerance);
    x.dispose();
  });
});

const random = (shape: number[], index = 0): Float32Array =>
  rng(1, 0, "test", index).fillNormal(new Float32Array(shape.reduce((a, b) => a * b, 1)));

test("several samples and channels equal each on its own", async () => {
  const data = random([2, 3, 6, 5, 7]);
  const x = tensor(data, [2, 3, 6, 5, 7]);
  const matrix = [0.9, 0.1, 0, 0.2, -0.1, 0.9, 0, 0.3, 0, 0.05, 1.1, -0.4];
  const both = [...matrix, ...matrix.map((v) => v * 0.95)];
  const resized = await values(resize(x, [8, 9, 4]));
  const moved = await values(resampleAffine(x, [4, 4, 5], both, { order: 3 }));
  for (let i = 0; i < 6; i++) {
    const one = volume(data.subarray(i * 210, (i + 1) * 210), [6, 5, 7]);
    expect(worst(await values(resize(one, [8, 9, 4])), resized.slice(i * 288, (i + 1) * 288))).toBe(0);
    const own = i < 3 ? matrix : both.slice(12);
    expect(
      worst(await values(resampleAffine(one, [4, 4, 5], own)), moved.slice(i * 80, (i + 1) * 80)),
    ).toBeLessThan(2e-6);
    one.dispose();
  }
  x.dispose();
});

test("the same bits for any number of threads", async () => {
  const x = volume(random([40, 37, 45]), [40, 37, 45]);
  const matrix = [0.9, 0.2, 0, 1, -0.2, 0.9, 0, 6, 0, 0.05, 1.05, -0.4];
  const run = async (): Promise<number[]> => [
    ...(await values(resize(x, [50, 30, 61]))),
    ...(await values(resampleAffine(x, [32, 32, 32], matrix))),
  ];
  const { threads } = native.info();
  const first = await run();
  for (const n of [1, 2, 3, 8]) {
    setThreads(n);
    expect(worst(await run(), first)).toBe(0);
  }
  setThreads(threads);
  x.dispose();
});

test("the identity keeps every voxel, a shift by whole voxels moves it", async () => {
  const data = random([6, 7, 8]);
  const x = volume(data, [6, 7, 8]);
  expect(worst(await values(resize(x, [6, 7, 8])), data)).toBe(0);
  const same = await values(resampleAffine(x, [6, 7, 8], [1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0]));
  expect(worst(same, data)).toBeLessThan(2e-6);
  const shifted = await values(
    resampleAffine(x, [6, 7, 8], [1, 0, 0, 1, 0, 1, 0, 0, 0, 0, 1, 0], { order: 1, outside: 5 }),
  );
  expect(worst(shifted.slice(0, 280), data.subarray(56))).toBe(0);
  expect(shifted.slice(280).every((v) => v === 5)).toBe(true);
  x.dispose();
});

test("what cannot be resampled is refused with the value found", () => {
  const x = volume(random([4, 4, 4]), [4, 4, 4]);
  const identity = [1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0];
  expect(() => resize(x, [0, 4, 4])).toThrow(/size is \(0, 4, 4\), allowed is at least 1/);
  expect(() => resize(x, [4, 4, 4], { order: 2 as 3 })).toThrow(
    /order is \(2, 2, 2\), allowed are 0, 1 and 3/,
  );
  expect(() => resize(x, [4, 4, 4], { clipAxis: 1 })).toThrow(/must have order 0/);
  expect(() => resampleAffine(x, [4, 4, 4], identity.slice(1))).toThrow(/11 numbers/);
  expect(() => resampleAffine(x, [4, 4, 4], [Number.NaN, ...identity.slice(1)])).toThrow(/non-finite/);
  expect(() => resampleAffine(x, [4, 4, 4], identity, { order: 5 as 3 })).toThrow(/order is 5/);
  const flat = tensor([1, 2], [2]);
  expect(() => resize(flat, [4, 4, 4])).toThrow(/needs a dense \(N, C, D, H, W\), got \(2\)/);
  x.dispose();
  flat.dispose();
});

describe("gradients", () => {
  const shape = [2, 2, 5, 6, 4];
  const size: Triple = [7, 3, 9];
  const matrix = [0.6, 0.1, 0, 0.3, -0.1, 0.9, 0.05, 0.4, 0, 0.05, 0.5, -0.2];
  const both = [...matrix, ...matrix.map((v) => v * 0.9)];
  const ops: [string, (x: Tensor) => Tensor][] = ([0, 1, 3] as const).flatMap((order) => [
    [`resize, order ${order}`, (x) => resize(x, size, { order, clip: false })],
    [`affine, order ${order}`, (x) => resampleAffine(x, size, both, { order })],
  ]);

  async function backward(op: (x: Tensor) => Tensor, x: Tensor, gy: Tensor): Promise<number[]> {
    const tape = new Tape();
    const y = tape.record(() => op(x));
    tape.backward(y, gy);
    const gradient = [...(await x.grad!.data())];
    x.zeroGrad();
    y.dispose();
    return gradient;
  }

  test.each(ops)("%s: <A x, g> = <x, Aᵀ g>, and the CPU agrees with the reference", async (_name, op) => {
    const data = [
      Float64Array.from(random(shape, 1)),
      Float64Array.from(random([2, 2, ...size], 2)),
    ] as const;
    const run = async (options: TensorOptions) => {
      const x = tensor(data[0], shape, { ...options, requiresGrad: true });
      const gy = tensor(data[1], [2, 2, ...size], options);
      const y = await values(op(x));
      const gx = await backward(op, x, gy);
      x.dispose();
      gy.dispose();
      return { y, gx };
    };
    const exact = await run({ device: "reference", dtype: "float64" });
    const dot = (a: ArrayLike<number>, b: ArrayLike<number>): number =>
      Array.from(a).reduce((sum, v, i) => sum + v * b[i]!, 0);
    expect(Math.abs(dot(exact.y, data[1]) - dot(data[0], exact.gx))).toBeLessThan(1e-9);
    expect(Math.max(...exact.gx.map(Math.abs))).toBeGreaterThan(0.1);
    const cpu = await run({ device: "cpu" });
    expect(worst(cpu.gx, exact.gx)).toBeLessThan(1e-5);
  });

  test("long and one-voxel axes", async () => {
    for (const [from, to] of [
      [
        [1, 80, 3],
        [2, 100, 3],
      ],
      [
        [90, 2, 1],
        [70, 4, 1],
      ],
    ] as [Triple, Triple][]) {
      const [data, g] = [random([1, 1, ...from], 3), random([1, 1, ...to], 4)];
      const gradients: number[][] = [];
      for (const options of [
        { device: "reference", dtype: "float64" },
        { device: "cpu" },
      ] as TensorOptions[]) {
        const x = tensor(Float64Array.from(data), [1, 1, ...from], { ...options, requiresGrad: true });
        const gy = tensor(Float64Array.from(g), [1, 1, ...to], options);
        gradients.push(await backward((t) => resize(t, to, { clip: false }), x, gy));
        gradients.push(await backward((t) => resampleAffine(t, to, matrix), x, gy));
        x.dispose();
        gy.dispose();
      }
      expect(worst(gradients[2]!, gradients[0]!)).toBeLessThan(1e-5);
      expect(worst(gradients[3]!, gradients[1]!)).toBeLessThan(1e-5);
    }
  });

  test("clipping has none, and says so", () => {
    const x = tensor(random([1, 1, 4, 4, 4]), [1, 1, 4, 4, 4], { requiresGrad: true });
    const tape = new Tape();
    const y = tape.record(() => resize(x, [5, 5, 5]));
    expect(() => tape.backward(y, y)).toThrow(/clip: false only/);
    x.dispose();
    y.dispose();
  });
});
