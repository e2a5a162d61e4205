/** Kernels that normalise on load compute what they compute from the written values, to the bit. */
import { BlockMask, type DeviceName, maskedNorm, stats, Tape, type Tensor, tensor } from "../../lib";
import { native } from "../../lib/binding";
import { launch } from "../../lib/launch";
import { rng } from "../../lib/random";
import { freeAfterEach } from "../lifetime";
import { isas } from "../op-suite-checks";

freeAfterEach();

interface Case {
  name: string;
  size: [number, number, number];
  grid?: [number, number, number];
  samples?: number;
  channels: [number, number];
  visible?: number[];
  /** One affine map for all samples, as batch norm has it. */
  shared?: boolean;
}

const cases: Case[] = [
  { name: "one visible block", size: [12, 12, 24], grid: [3, 3, 3], channels: [17, 9], visible: [13] },
  { name: "dense, odd sizes", size: [7, 5, 11], samples: 2, channels: [16, 33] },
  {
    name: "tiles do not divide",
    size: [15, 10, 14],
    grid: [3, 2, 2],
    channels: [8, 8],
    visible: [0, 1, 7, 10],
  },
  {
    name: "a batch",
    size: [8, 8, 8],
    grid: [2, 2, 2],
    samples: 3,
    channels: [20, 8],
    visible: [0, 1, 5, 9, 17, 20],
  },
  {
    name: "blocks of one voxel",
    size: [3, 4, 5],
    grid: [3, 4, 5],
    samples: 2,
    channels: [9, 40],
    visible: [0, 1, 2, 7, 60, 119],
  },
  { name: "batch norm", size: [6, 8, 4], samples: 2, channels: [3, 12], shared: true },
  { name: "many channels", size: [4, 4, 8], grid: [1, 2, 2], channels: [200, 24], visible: [1, 2] },
];

const random = rng(11, 0, "test");
const normal = (shape: readonly number[], device: DeviceName, mask?: BlockMask): Tensor => {
  const data = random.fillNormal(new Float32Array(shape.reduce((a, b) => a * b, 1)));
  return tensor(data, shape, { device, mask });
};

/** Tensors of a case: x as it is and written, the affine map, a second map of other channels at the same place. */
function prepare(
  { size, grid, samples = 1, channels: [c, k], visible = [], shared }: Case,
  device: DeviceName,
) {
  const cells = grid ? grid[0] * grid[1] * grid[2] : 0;
  const seen = Uint8Array.from({ length: samples * cells }, (_, i) => Number(visible.includes(i)));
  const mask = grid && new BlockMask({ samples, grid, visible: seen });
  const x = normal([samples, c, ...size], device, mask);
  const affine = normal([shared ? 1 : samples, 3, c], device);
  const written = launch("residual_forward", [x, undefined, affine], { xSlope: 0.1 })[0] as Tensor;
  return { x, affine, written, mask, gy: normal([samples, k, ...size], device, mask) };
}

async function agree(fused: Tensor[], plain: Tensor[]): Promise<void> {
  for (const [i, y] of plain.entries()) {
    const wanted = await y.data();
    const found = await (fused[i] as Tensor).data();
    expect(wanted.some((v) => v !== 0)).toBe(true);
    expect(Buffer.compare(Buffer.from(found.buffer), Buffer.from(wanted.buffer))).toBe(0);
  }
}

/** Mean, sum of squared deviations and number of the values of each sample and channel that are seen. */
function momentsOf(
  values: ArrayLike<number>,
  seen: ArrayLike<number>,
  groups: number,
): [number, number, number][] {
  const size = values.length / groups;
  return Array.from({ length: groups }, (_, g) => {
    let [mean, m2, count] = [0, 0, 0];
    for (let i = g * size; i < (g + 1) * size; i++) {
      if (seen[i] === 0) continue;
      const delta = (values[i] as number) - mean;
      mean += delta / ++count;
      m2 += delta * ((values[i] as number) - mean);
    }
    return [mean, m2, count];
  });
}

/** Σ g act′ and Σ g act′ (x − mean) over what is seen, as far as float32 sums of a chunk can tell. */
async function sumsAgree(
  { samples = 1, channels: [c], shared }: Case,
  { g, x, affine, seen }: Record<"g" | "x" | "affine" | "seen", ArrayLike<number>>,
  found: ArrayLike<number>,
): Promise<void> {
  const size = x.length / samples / c;
  for (let i = 0; i < samples * c; i++) {
    const [n, k] = [Math.floor(i / c), i % c];
    const [mean, scale, shift] = [0, 1, 2].map(
      (part) => affine[((shared ? 0 : 3 * n) + part) * c + k] as number,
    );
    const sums = [0, 0];
    const sizes = [1e-6, 1e-6];
    for (let at = i * size; at < (i + 1) * size; at++) {
      if (seen[at] === 0) continue;
      const distance = Math.fround((x[at] as number) - (mean as number));
      const z = Math.fround(Math.fround(distance * (scale as number)) + (shift as number));
      const d = (g[at] as number) * (z > 0 ? 1 : slope);
      [d, d * distance].forEach((term, part) => {
        sums[part] = (sums[part] as number) + term;
        sizes[part] = (sizes[part] as number) + Math.abs(term);
      });
    }
    sums.forEach((sum, part) => {
      const error = Math.abs((found[(2 * n + part) * c + k] as number) - sum) / (sizes[part] as number);
      expect({ i, part, error }).toEqual({ i, part, error: expect.toBeAtMost(2e-6) });
    });
  }
}

const slope = 0.1;
const k3 = { stride: [1, 1, 1], padding: [1, 1, 1] } as const;
const forms = { off: 0, f2: 3, f4: 4 } as const;

describe.each([...isas, "reference"] as const)("%s", (where) => {
  const device = where === "reference" ? "reference" : "cpu";
  beforeEach(() => native.configure(where === "reference" ? {} : { isa: where }));
  afterEach(() => native.configure({ isa: native.info().bestIsa }));

  test.each(cases)("$name: 3×3×3 convolution and the gradient of its weight", async (c) => {
    const { x, affine, written, gy } = prepare(c, device);
    const [weight, bias] = [
      normal([c.channels[1], c.channels[0], 3, 3, 3], device),
      normal([c.channels[1]], device),
    ];
    for (const winograd of Object.values(forms)) {
      const [forward, back] = [
        { ...k3, winograd },
        { ...k3, kernel: [3, 3, 3], winograd, bias: true },
      ] as const;
      await agree(
        launch("conv3d_forward", [x, weight, bias, affine], { ...forward, slope }),
        launch("conv3d_forward", [written, weight, bias], forward),
      );
      await agree(
        launch("conv3d_grad_weight", [x, gy, affine], { ...back, slope }),
        launch("conv3d_grad_weight", [written, gy], back),
      );
      await agree(
        launch("conv3d_grad_weight", [gy, x, undefined, affine], { ...back, bias: false, slope }),
        launch("conv3d_grad_weight", [gy, written], { ...back, bias: false }),
      );
    }
  });

  test.each(cases)("$name: statistics that a convolution leaves", async (c) => {
    const { x, gy } = prepare(c, device);
    const seen = await launch("residual_forward", [gy, gy], {})[0]!.data(); // 0 where masked
    const [weight, bias] = [
      normal([c.channels[1], c.channels[0], 3, 3, 3], device),
      normal([c.channels[1]], device),
    ];
    for (const winograd of Object.values(forms)) {
      const [y, moments] = launch("conv3d_forward", [x, weight, bias], { ...k3, winograd, moments: true });
      const wanted = momentsOf(await y!.data(), seen, (c.samples ?? 1) * c.channels[1]);
      const found = await moments!.data();
      const k = c.channels[1];
      wanted.forEach(([mean, m2, count], i) => {
        const at = Math.floor(i / k) * 2 * k + (i % k);
        const deviation = Math.sqrt(m2 / Math.max(count, 1)) + Math.abs(mean) / 16 + 1e-6;
        expect(Math.abs((found[at] as number) - mean) / deviation).toBeLessThan(1e-5);
        expect(Math.abs((found[at + k] as number) - m2)).toBeLessThanOrEqual(
          1e-5 * m2 + 1e-8 * count * (1 + mean * mean),
        );
      });
    }
  });

  test.each(cases)("$name: sums that the gradient of a pending map leaves", async (c) => {
    const { x, affine, gy } = prepare(c, device);
    const seen = await launch("residual_forward", [x, x], {})[0]!.data(); // 0 where masked
    const [values, map] = [await x.data(), await affine.data()];
    for (const edge of [3, 1]) {
      const weight = normal([c.channels[1], c.channels[0], edge, edge, edge], device);
      const padding = edge === 3 ? k3.padding : ([0, 0, 0] as const);
      for (const winograd of edge === 3 ? Object.values(forms) : [forms.off]) {
        const wanted = { padding, winograd, size: c.size, mask: x.mask };
        const [plain] = launch("conv3d_grad_input", [gy, weight], wanted);
        const [gx, sums] = launch("conv3d_grad_input", [gy, weight, x, affine], { ...wanted, slope });
        await agree([gx as Tensor], [plain as Tensor]);
        await sumsAgree(c, { g: await gx!.data(), x: values, affine: map, seen }, await sums!.data());
      }
    }
  });

  test.each(cases)("$name: 1×1×1 and transposed convolution", async (c) => {
    const { x, affine, written, gy } = prepare(c, device);
    const [from, to] = c.channels;
    const point = normal([to, from, 1, 1, 1], device);
    await agree(
      launch("conv3d_forward", [x, point, undefined, affine], { slope }),
      launch("conv3d_forward", [written, point], {}),
    );
    await agree(
      launch("conv3d_grad_weight", [x, gy, affine], { slope }),
      launch("conv3d_grad_weight", [written, gy], {}),
    );
    const weight = normal([from, to, 2, 2, 2], device);
    const inputs = [weight, undefined];
    const up = launch("conv_transpose3d_forward", [written, ...inputs], {});
    await agree(launch("conv_transpose3d_forward", [x, ...inputs, affine], { slope }), up);
    await agree(
      launch("conv_transpose3d_grad_weight", [x, up[0], affine], { slope }),
      launch("conv_transpose3d_grad_weight", [written, up[0]], {}),
    );
  });
});

test("values are written once, when something needs them, and freed with the tensor", async () => {
  const x = normal([1, 3, 2, 2, 2], "cpu");
  const plain = maskedNorm(x, undefined, undefined, { kind: "instance" });
  const wanted = await plain.data();
  plain.dispose();
  const before = stats().liveTensors;
  const y = maskedNorm(x, undefined, undefined, { kind: "instance", pending: true });
  expect(stats().liveTensors).toBe(before + 1); // the affine map
  expect(await y.data()).toEqual(wanted);
  expect(stats().liveTensors).toBe(before + 1); // the values instead
  expect(await y.data()).toEqual(wanted);
  y.dispose();
  expect(stats().liveTensors).toBe(before);
  expect(() => y.handle).toThrow(/used after dispose/);
});

test("a pending tensor keeps what it needs, though its makers are disposed", async () => {
  const x = normal([1, 2, 2, 2, 2], "cpu");
  const tape = new Tape();
  x.requiresGrad = true;
  const y = tape.record(() =>
    maskedNorm(x, undefined, undefined, { kind: "instance", slope: 0.5, pending: true }),
  );
  x.dispose();
  tape.backward(y, y);
  expect((await y.data()).every(Number.isFinite)).toBe(true);
  x.zeroGrad();
});
