/**
 * Convolutions on small integers, where float32 is exact: every kernel, instruction set, mask and block edge must give
 * the reference's numbers to the bit.
 */
import { type BlockMask, type DeviceName, setThreads, type Tensor, type Triple, tensor } from "../../lib";
import { native } from "../../lib/binding";
import { launch } from "../../lib/launch";
import { type Random, rng } from "../../lib/random";
import { looseMask, maskedData } from "../masks";
import { drawArray } from "../op-suite";
import { isas, seed } from "../op-suite-checks";

interface Case {
  samples: number;
  channels: [number, number];
  size: Triple;
  kernel: Triple;
  stride: Triple;
  padding: Triple;
  mask?: { samples: number; grid: [number, number, number]; visible: Uint8Array };
  /** x is dense although the output is sparse. */
  denseInput?: boolean;
  transposed?: boolean;
}

type Values = Record<"x" | "weight" | "bias" | "gy", Float32Array>;
type Results = Record<"y" | "gx" | "gw" | "gb", Float32Array>;

const product = (v: readonly number[]) => v.reduce((a, b) => a * b, 1);
const map3 = (f: (axis: number) => number) => [f(0), f(1), f(2)] as [number, number, number];
const random = (name: string, index = 0) =>
  rng(
    seed,
    [...name].reduce((h, c) => (h * 31 + c.charCodeAt(0)) % 1000003, 7),
    "test",
    index,
  );

const outputSize = (c: Case) =>
  map3((a) =>
    c.transposed
      ? c.size[a]! * c.kernel[a]!
      : Math.floor((c.size[a]! + 2 * c.padding[a]! - c.kernel[a]!) / c.stride[a]!) + 1,
  );
const shapes = (c: Case) => ({
  x: [c.samples, c.channels[0], ...c.size],
  weight: c.transposed ? [...c.channels, ...c.kernel] : [c.channels[1], c.channels[0], ...c.kernel],
  bias: [c.channels[1]],
  gy: [c.samples, c.channels[1], ...outputSize(c)],
});

function draw(r: Random, c: Case, kind: "integer" | "normal" = "integer"): Values {
  const values = {} as Values;
  for (const [name, shape] of Object.entries(shapes(c))) values[name as "x"] = drawArray(r, shape, kind);
  return values;
}

function kernels(c: Case, t: Record<keyof Values, Tensor>, mask: BlockMask | undefined): Tensor[] {
  const { stride, padding, kernel, size } = c;
  if (c.transposed)
    return [
      ...launch("conv_transpose3d_forward", [t.x, t.weight, t.bias], {}),
      ...launch("conv_transpose3d_grad_input", [t.gy, t.weight], {}),
      ...launch("conv_transpose3d_grad_weight", [t.x, t.gy], { bias: true }),
    ];
  return [
    ...launch("conv3d_forward", [t.x, t.weight, t.bias], { stride, padding, mask }),
    ...launch("conv3d_grad_input", [t.gy, t.weight], { stride, padding, size, mask: t.x.mask }),
    ...launch("conv3d_grad_weight", [t.x, t.gy], { kernel, stride, padding, bias: true }),
  ];
}

/** Output and all gradients on a device. */
async function run(c: Case, values: Values, device: DeviceName): Promise<Results> {
  const mask = c.mask && looseMask(c.mask);
  const inputs = {} as Record<keyof Values, Tensor>;
  for (const [name, shape] of Object.entries(shapes(c))) {
    const sparse = name === "gy" || (name === "x" && !c.denseInput);
    inputs[name as "x"] = tensor(values[name as "x"], shape, { device, mask: sparse ? mask : undefined });
  }
  const outputs = kernels(c, inputs, mask);
  const found = (await Promise.all(outputs.map((t) => t.data()))) as Float32Array[];
  for (const t of [...Object.values(inputs), ...outputs, mask]) t?.dispose();
  const [y, gx, gw, gb] = found as [Float32Array, Float32Array, Float32Array, Float32Array];
  return { y, gx, gw, gb };
}

function expectEqual(found: Results, wanted: Results, what: string): void {
  for (const name of Object.keys(wanted) as (keyof Results)[]) {
    const [a, b] = [found[name], wanted[name]];
    const at = a.length === b.length ? a.findIndex((v, i) => v !== b[i]) : -2;
    if (at !== -1)
      throw new Error(`${what}: ${name}[${at}] is ${a[at]}, the reference says ${b[at]}; seed ${seed}`);
  }
}

const describeCase = (c: Case) =>
  `${c.channels.join(" to ")}, size ${c.size}, kernel ${c.kernel}, stride ${c.stride}, padding ${c.padding}` +
  `${c.mask ? `, grid ${c.mask.grid}, visible ${c.mask.visible.join("")}` : ""}` +
  `${c.denseInput ? ", dense x" : ""}${c.transposed ? ", transposed" : ""}, ${c.samples} samples`;

/** Any mask, those included that show nothing or everything. */
function drawVisible(r: Random, samples: number, grid: Triple): NonNullable<Case["mask"]> {
  const share = r.int(5) / 4;
  const visible = Uint8Array.from({ length: samples * product(grid) }, () => (r.uniform() < share ? 1 : 0));
  return { samples, grid: [...grid], visible };
}

/** Kernels, strides and paddings of any kind; sparse sizes are multiples of the grid. */
function drawCase(r: Random): Case {
  const samples = 1 + r.int(2);
  const channel = () => [1 + r.int(5), 1 + r.int(40), 16, 32][r.int(4)] as number;
  const channels: [number, number] = [channel(), channel()];
  const kernel = map3(() => [1, 2, 3, 3, 5][r.int(5)] as number);
  if (r.int(4) === 0) {
    const grid = map3(() => 1 + r.int(3));
    const size = map3((a) => grid[a]! * (1 + r.int(3)));
    const mask = r.int(2) ? drawVisible(r, samples, grid) : undefined;
    return {
      samples,
      channels,
      size,
      kernel,
      stride: kernel,
      padding: [0, 0, 0],
      transposed: true,
      ...(mask && { mask }),
    };
  }
  const stride = map3(() => 1 + r.int(3));
  if (r.int(2)) {
    const padding = map3((a) => r.int(kernel[a]!));
    const size = map3((a) => Math.max(1, kernel[a]! - 2 * padding[a]!) + r.int(8));
    return { samples, channels, size, kernel, stride, padding };
  }
  // "Same" padding, so that edge n of the input makes edge n / stride of the output.
  const odd = kernel.map((k) => k - 1 + (k % 2)) as unknown as Triple;
  const grid = map3(() => 1 + r.int(4));
  const size = map3((a) => grid[a]! * stride[a]! * (1 + r.int(3)));
  const padding = odd.map((k) => (k - 1) / 2) as unknown as Triple;
  return {
    samples,
    channels,
    size,
    kernel: odd,
    stride,
    padding,
    mask: drawVisible(r, samples, grid),
    denseInput: r.int(4) === 0,
  };
}

afterEach(() => native.configure({ isa: native.info().bestIsa }));

test.each(isas)("120 random convolutions equal the reference, %s", async (isa) => {
  for (let i = 0; i < 120; i++) {
    const r = random("shapes", i);
    const c = drawCase(r);
    const values = draw(r, c);
    const wanted = await run(c, values, "reference");
    native.configure({ isa });
    expectEqual(await run(c, values, "cpu"), wanted, `case ${i}: ${describeCase(c)}`);
  }
});

const cube = (n: number): Triple => [n, n, n];
const same = { samples: 1, kernel: cube(3), padding: cube(1) };

test.each([32, 16, 8, 4, 2, 1])("block edge %i equals the reference, strides 1 and 2", async (edge) => {
  for (const stride of [1, 2]) {
    const r = random("edges", edge * 2 + stride);
    const grid: [number, number, number] = edge > 8 ? [2, 1, 1] : [2, 3, 2];
    const size = map3((a) => grid[a]! * edge * stride);
    if (product(size) > 70000) continue;
    const visible = Uint8Array.from({ length: product(grid) }, (_, i) => (i % 3 === 0 ? 1 : r.int(2)));
    const channels: [number, number] = edge > 8 ? [2, 3] : [17, 33];
    const c: Case = { ...same, channels, size, stride: cube(stride), mask: { samples: 1, grid, visible } };
    const values = draw(r, c);
    expectEqual(await run(c, values, "cpu"), await run(c, values, "reference"), describeCase(c));
  }
});

test("rows longer than a box, volumes larger than an item", async () => {
  for (const size of [
    [2, 3, 150],
    [1, 40, 37],
    [21, 9, 11],
  ] as Triple[]) {
    const c: Case = { ...same, channels: [3, 5], size, stride: cube(1) };
    const values = draw(random("long", size[2]), c);
    expectEqual(await run(c, values, "cpu"), await run(c, values, "reference"), describeCase(c));
  }
});

test("many channels and few voxels: panels shared out, weights packed tap by tap", async () => {
  const mask = {
    samples: 1,
    grid: cube(3) as [number, number, number],
    visible: new Uint8Array(27).fill(1, 3, 8),
  };
  const cases: Pick<Case, "channels" | "size" | "stride" | "mask">[] = [
    { channels: [320, 33], size: [3, 4, 3], stride: cube(1) },
    { channels: [70, 257], size: [5, 4, 3], stride: [2, 1, 2] },
    { channels: [130, 80], size: cube(3), stride: cube(1), mask },
    { channels: [80, 130], size: cube(6), stride: cube(2), mask },
  ];
  for (const part of cases) {
    const c: Case = { ...same, ...part };
    const values = draw(random("wide", c.channels[0]), c);
    expectEqual(await run(c, values, "cpu"), await run(c, values, "reference"), describeCase(c));
  }
});

test("an output that is stored past the caches", async () => {
  const r = random("large");
  const shape = [1, 2, 26, 26, 26];
  const [x, weight] = [drawArray(r, shape, "integer"), drawArray(r, [2, 32, 2, 2, 2], "integer")];
  const outputs = (["cpu", "reference"] as const).map(async (device) => {
    const inputs = [tensor(x, shape, { device }), tensor(weight, [2, 32, 2, 2, 2], { device })];
    const [y] = launch("conv_transpose3d_forward", inputs, {}) as [Tensor];
    const found = (await y.data()) as Float32Array;
    for (const t of [...inputs, y]) t.dispose();
    return found;
  });
  const [found, wanted] = (await Promise.all(outputs)) as [Float32Array, Float32Array];
  expect(Buffer.compare(Buffer.from(found.buffer), Buffer.from(wanted.buffer))).toBe(0);
});

test("masked conv is mask · conv(mask · x) under 300 masks, one visible and all but one included", async () => {
  const grid: [number, number, number] = [3, 2, 3];
  const cells = product(grid);
  for (let i = 0; i < 300; i++) {
    const r = random("masks", i);
    const visible = Uint8Array.from({ length: cells }, () => r.int(2));
    if (i < cells) visible.fill(0)[i] = 1;
    else if (i < 2 * cells) visible.fill(1)[i - cells] = 0;
    const stride = 1 + (i % 2);
    const size = map3((a) => grid[a]! * stride * (1 + (i % 3 === 0 ? 1 : 0)));
    const c: Case = {
      ...same,
      channels: [3, 4],
      size,
      stride: cube(stride),
      mask: { samples: 1, grid, visible },
    };
    const { mask, ...dense } = c;
    const values = draw(r, c);
    const [xShape, gyShape] = [shapes(c).x, shapes(c).gy];
    const zeroed = {
      ...values,
      x: maskedData(values.x, xShape, mask),
      gy: maskedData(values.gy, gyShape, mask),
    };
    const wanted = await run(dense, zeroed, "cpu");
    wanted.y = maskedData(wanted.y, gyShape, mask);
    wanted.gx = maskedData(wanted.gx, xShape, mask);
    expectEqual(await run(c, values, "cpu"), wanted, describeCase(c));
  }
});

test("a dense x is read unmasked under a mask", async () => {
  const mask = {
    samples: 1,
    grid: [2, 2, 2] as [number, number, number],
    visible: Uint8Array.of(1, 0, 0, 0, 1, 0, 0, 1),
  };
  const c: Case = { ...same, channels: [2, 3], size: cube(6), stride: cube(1), mask, denseInput: true };
  const values = draw(random("dense x"), c);
  const { mask: _, ...dense } = c;
  const wanted = await run(dense, values, "cpu");
  expect((await run(c, values, "cpu")).y).toEqual(maskedData(wanted.y, shapes(c).gy, mask));
});

test("⟨conv x, g⟩ = ⟨x, convᵀ g⟩ = ⟨w, gradient of w⟩ on 300 random shapes", async () => {
  const dot = (a: ArrayLike<number>, b: ArrayLike<number>) => {
    let sum = 0;
    for (let i = 0; i < a.length; i++) sum += (a[i] as number) * (b[i] as number);
    return sum;
  };
  for (let i = 0; i < 300; i++) {
    const r = random("adjoint", i);
    const c = drawCase(r);
    const values = { ...draw(r, c), bias: new Float32Array(c.channels[1]) };
    const { y, gx, gw } = await run(c, values, "cpu");
    const want = dot(y, values.gy);
    const found = [dot(values.x, gx), dot(values.weight, gw)];
    // Dense x under a mask: the same identity, since y is 0 wherever gy is not stored.
    if (found.some((v) => v !== want))
      throw new Error(`case ${i}: ${want} against ${found.join(", ")}: ${describeCase(c)}; seed ${seed}`);
  }
});

describe("the same bits for any number of threads", () => {
  const visible = Uint8Array.from({ length: 27 }, (_, i) => (i % 4 === 0 ? 1 : 0));
  const mask = { samples: 1, grid: [3, 3, 3] as [number, number, number], visible };
  const wide = { ...same, stride: cube(1) };
  const cases: Record<string, Case> = {
    dense: { ...wide, channels: [34, 33], size: [17, 18, 19] },
    masked: { ...wide, channels: [32, 48], size: cube(24), mask },
    "one channel in": { ...wide, channels: [1, 32], size: cube(20) },
    "one channel out, 1³": { ...wide, channels: [33, 1], size: cube(20), kernel: cube(1), padding: cube(0) },
    "many channels": { ...wide, channels: [132, 144], size: cube(6), mask },
    strided: { ...wide, channels: [20, 33], size: cube(24), stride: cube(2), mask },
    transposed: { ...wide, channels: [40, 20], size: cube(9), kernel: cube(2), transposed: true },
  };
  test.each(Object.entries(cases))("%s", async (name, c) => {
    const { threads } = native.info();
    const values = draw(random(name), c, "normal");
    try {
      setThreads(1);
      const wanted = await run(c, values, "cpu");
      for (const n of [2, 3, 8, 2]) {
        setThreads(n);
        expectEqual(await run(c, values, "cpu"), wanted, `${n} threads`);
      }
    } finally {
      setThreads(threads);
    }
  });
});
