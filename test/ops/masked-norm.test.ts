import { full, maskedNorm, stats, Tape, type Tensor, tensor } from "../../lib";
import { rng } from "../../lib/random";
import { checkGolden, relativeError } from "../golden/check";
import { freeAfterEach } from "../lifetime";
import { looseMask, voxelMask } from "../masks";
import { drawMask, triple } from "../op-suite";

freeAfterEach();

checkGolden(
  "masked_norm",
  (
    { x, weight, bias, running_mean, running_var },
    { attributes: { kind, eps, slope, training, momentum } },
  ) => {
    const running = running_mean &&
      running_var && { mean: running_mean, variance: running_var, momentum: momentum as number };
    const y = maskedNorm(x as Tensor, weight, bias, { kind, eps, slope, training, running });
    return { y, ...(running && { running_mean: running.mean, running_var: running.variance }) };
  },
  { masked: ["x"], constants: ["running_mean", "running_var"], tolerance: 5e-6 },
);

const random = rng(1, 0, "test");
const normal = (n: number) => random.fillNormal(new Float32Array(n));

describe.each(["cpu", "reference"] as const)("masked_norm on %s", (device) => {
  const vector = (...v: number[]) => tensor(v, [v.length], { device, requiresGrad: true });

  test("a sample without visible blocks has no influence and yields no NaN", async () => {
    const mask = looseMask({ samples: 2, grid: [2, 1, 1], visible: Uint8Array.of(0, 0, 1, 0) });
    const x = tensor(normal(32), [2, 2, 2, 2, 2], { device, mask, requiresGrad: true });
    for (const kind of ["instance", "batch"] as const) {
      const tape = new Tape();
      const y = tape.record(() => maskedNorm(x, vector(1, 2), vector(3, 4), { kind }));
      tape.backward(y, x);
      const values = await y.data();
      expect(values.every(Number.isFinite)).toBe(true);
      expect(values.subarray(0, 16).every((v) => v === 0)).toBe(true);
      expect((await (x.grad as Tensor).data()).every(Number.isFinite)).toBe(true);
      x.zeroGrad();
    }
  });

  test("one visible voxel becomes beta, with a finite gradient", async () => {
    const mask = looseMask({ samples: 1, grid: [2, 2, 2], visible: Uint8Array.of(0, 0, 0, 1, 0, 0, 0, 0) });
    const x = tensor(normal(16), [1, 2, 2, 2, 2], { device, mask, requiresGrad: true });
    const running = { mean: vector(0, 0), variance: vector(1, 1) };
    const tape = new Tape();
    const y = tape.record(() =>
      maskedNorm(x, vector(5, 6), vector(-3, 4), { kind: "batch", slope: 0.5, running }),
    );
    tape.backward(y, x);
    expect((await y.data()).filter((v) => v !== 0)).toEqual(Float32Array.of(-1.5, 4));
    expect((await (x.grad as Tensor).data()).every((v) => v === 0)).toBe(true);
    expect(await running.variance.data()).toEqual(Float32Array.of(0.9, 0.9)); // unbiased variance of one value: 0
  });

  test("a constant channel becomes beta exactly", async () => {
    const x = full([2, 3, 8, 8, 8], 0.1, { device });
    const y = maskedNorm(x, vector(7, 8, 9), vector(1, 2, 3), { kind: "instance" });
    const values = await y.data();
    values.forEach((v, i) => {
      if (v !== 1 + (Math.floor(i / 512) % 3)) throw new Error(`element ${i} is ${v}`);
    });
  });

  test("the mean may be ten thousand deviations away", async () => {
    const noise = normal(2 * 20 ** 3).map((v) => Math.round(v * 64) / 64);
    const offset = tensor(
      noise.map((v) => v + 8192),
      [1, 2, 20, 20, 20],
      { device },
    ); // exact in float32
    const centred = tensor(noise, [1, 2, 20, 20, 20], { device });
    const [a, b] = await Promise.all(
      [offset, centred].map((t) => maskedNorm(t, undefined, undefined, { kind: "instance" }).data()),
    );
    // 8192 + mean in float32 is off by at most 2^-11; everything else is exact.
    for (let i = 0; i < noise.length; i++)
      if (!(Math.abs((a?.[i] as number) - (b?.[i] as number)) < 5e-4)) throw new Error(`element ${i}`);
  });
});

test("statistics under many masks are those of the visible voxels in a row", async () => {
  for (let i = 0; i < 60; i++) {
    const grid = triple(random, 1, 3);
    const edge = triple(random, 1, 4);
    const size = grid.map((g, a) => g * (edge[a] as number));
    const c = 1 + random.int(6);
    const mask = looseMask({ ...drawMask(random, 1, grid)!, grid });
    const data = normal(c * size.reduce((a, b) => a * b));
    const seen = voxelMask(mask, size);
    const rows = data.filter((_, k) => seen[k % seen.length]);
    if (rows.length === 0) continue;
    const options = { kind: "instance", slope: 0.01 } as const;
    const sparse = maskedNorm(tensor(data, [1, c, ...size], { mask }), undefined, undefined, options);
    const dense = maskedNorm(tensor(rows, [1, c, 1, 1, rows.length / c]), undefined, undefined, options);
    const found = (await sparse.data()).filter((_, k) => seen[k % seen.length]);
    expect(relativeError(found, await dense.data())).toBeLessThan(2e-6);
  }
});

test("statistics of x die with the tape", () => {
  const before = stats().liveTensors;
  const x = tensor(normal(8), [1, 1, 2, 2, 2], { requiresGrad: true });
  const tape = new Tape();
  const y = tape.record(() => maskedNorm(x, undefined, undefined, { kind: "instance" }));
  expect(stats().liveTensors).toBe(before + 4);
  tape.dispose();
  y.dispose();
  maskedNorm(x, undefined, undefined, { kind: "instance" }).dispose();
  x.dispose();
  expect(stats().liveTensors).toBe(before);
});
