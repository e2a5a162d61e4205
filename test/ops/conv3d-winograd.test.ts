import { BlockMask, setThreads, stats, type Tensor, tensor } from "../../lib";
import { native } from "../../lib/binding";
import { launch } from "../../lib/launch";
import { rng } from "../../lib/random";

/** The attribute `winograd`: what may be used where it is faster, and what must be used. */
const [OFF, F2, F4, FORCE_F2, FORCE_F4] = [0, 1, 2, 3, 4];
/** Largest error of an output voxel relative to the standard deviation of the outputs. */
const bounds = { [OFF]: 2e-6, [F2]: 5e-6, [F4]: 1e-4, [FORCE_F2]: 5e-6, [FORCE_F4]: 1e-4 };
/** Of a weight's gradient, relative to the largest. */
const gradientBounds = { [OFF]: 5e-6, [F2]: 5e-6, [F4]: 3e-5, [FORCE_F2]: 5e-6, [FORCE_F4]: 3e-5 };

interface Case {
  samples?: number;
  channels: number;
  out: number;
  size: readonly [number, number, number];
  /** Cells of the mask; none: dense. */
  grid?: readonly [number, number, number];
  /** Visible cells of each sample. */
  visible?: readonly number[];
  /** x is stored dense, the output sparse. */
  denseInput?: boolean;
  bias?: boolean;
}

const { threads } = native.info();

/** Numbers of a stream, drawn once: longer arrays begin with the shorter ones. */
const drawn: Float32Array[] = [];

function normal(n: number, stream: number, deviation = 1): Float32Array {
  if (!((drawn[stream]?.length ?? 0) >= n))
    drawn[stream] = rng(3, 0, "test", stream).fillNormal(new Float32Array(n));
  return drawn[stream]!.subarray(0, n).map((v) => v * deviation);
}
const count = (shape: readonly number[]) => shape.reduce((a, b) => a * b, 1);

function maskOf(c: Case): BlockMask | undefined {
  if (!c.grid) return undefined;
  const per = count(c.grid);
  const visible = new Uint8Array(per * (c.samples ?? 1));
  for (let n = 0; n < (c.samples ?? 1); n++) {
    const order = Array.from({ length: per }, (_, i) => i);
    rng(9, 0, "test", n).shuffle(order);
    for (const i of order.slice(0, c.visible?.[n])) visible[n * per + i] = 1;
  }
  return new BlockMask({ samples: c.samples ?? 1, grid: [...c.grid] as [number, number, number], visible });
}

type Results = Record<"y" | "gx" | "gw" | "gb", Float64Array>;

/** Output and gradients of a case, by the reference in float64 or by the CPU with the attribute `winograd`. */
async function results(c: Case, winograd: number | "reference"): Promise<Results> {
  const reference = winograd === "reference";
  const type = reference
    ? ({ device: "reference", dtype: "float64" } as const)
    : ({ device: "cpu", dtype: "float32" } as const);
  const make = (values: Float32Array, shape: readonly number[], mask?: BlockMask) =>
    tensor(reference ? Float64Array.from(values) : values, [...shape], { ...type, mask });
  const mask = maskOf(c);
  const n = c.samples ?? 1;
  const xShape = [n, c.channels, ...c.size];
  const yShape = [n, c.out, ...c.size];
  const wShape = [c.out, c.channels, 3, 3, 3];
  const x = make(normal(count(xShape), 0), xShape, c.denseInput ? undefined : mask);
  const gy = make(normal(count(yShape), 1), yShape, mask);
  const weight = make(normal(count(wShape), 2, Math.sqrt(2 / (27 * c.channels))), wShape);
  const bias = c.bias ? make(normal(c.out, 3), [c.out]) : undefined;
  const how = {
    stride: [1, 1, 1],
    padding: [1, 1, 1],
    ...(reference ? {} : { winograd: winograd as number }),
  } as const;
  const [gw, gb] = launch("conv3d_grad_weight", [x, gy], { ...how, kernel: [3, 3, 3], bias: true });
  const outputs = {
    y: launch("conv3d_forward", [x, weight, bias], { ...how, mask })[0] as Tensor,
    gx: launch("conv3d_grad_input", [gy, weight], { ...how, size: c.size, mask: x.mask })[0] as Tensor,
    gw: gw as Tensor,
    gb: gb as Tensor,
  };
  const found = {} as Results;
  for (const [name, t] of Object.entries(outputs)) {
    found[name as "y"] = Float64Array.from(await t.data());
    t.dispose();
  }
  for (const t of [x, gy, weight, bias, mask]) t?.dispose();
  return found;
}

/** Largest difference, relative to the root mean square of what is stored (or to the largest value). */
function errorOf(found: Float64Array, wanted: Float64Array, by: "deviation" | "largest"): number {
  let worst = 0;
  let largest = 0;
  let squares = 0;
  let stored = 0;
  for (let i = 0; i < wanted.length; i++) {
    const w = wanted[i] as number;
    worst = Math.max(worst, Math.abs((found[i] as number) - w));
    largest = Math.max(largest, Math.abs(w));
    if (w !== 0) stored++;
    squares += w * w;
  }
  if (Number.isNaN(squares) || found.some(Number.isNaN)) return Number.NaN;
  return worst / (by === "largest" ? largest : Math.sqrt(squares / stored));
}

async function check(c: Case, ways: readonly number[]): Promise<void> {
  const wanted = await results(c, "reference");
  for (const winograd of ways) {
    const found = await results(c, winograd);
    expect(errorOf(found.y, wanted.y, "deviation")).toBeLessThanOrEqual(bounds[winograd] as number);
    expect(errorOf(found.gx, wanted.gx, "deviation")).toBeLessThanOrEqual(bounds[winograd] as number);
    expect(errorOf(found.gw, wanted.gw, "largest")).toBeLessThanOrEqual(gradientBounds[winograd] as number);
    expect(errorOf(found.gb, wanted.gb, "largest")).toBeLessThanOrEqual(2e-6);
  }
}

const cube = (n: number) => [n, n, n] as const;
const shapes: Record<string, Case> = {
  "dense 8³": { channels: 16, out: 32, size: cube(8), bias: true },
  "dense, one channel vector and a part": { channels: 20, out: 9, size: [4, 6, 8], bias: true },
  "dense, fewer channels than a vector": { channels: 3, out: 8, size: cube(4) },
  "dense, three samples": { samples: 3, channels: 8, out: 40, size: [6, 4, 8], bias: true },
  "ragged 5 x 7 x 10": { channels: 8, out: 8, size: [5, 7, 10], bias: true },
  "ragged 3 x 1 x 2": { channels: 8, out: 8, size: [3, 1, 2] },
  "blocks of 8, odd grid": {
    channels: 8,
    out: 16,
    size: [24, 8, 16],
    grid: [3, 1, 2],
    visible: [3],
    bias: true,
  },
  "blocks of 4, odd grid, three samples of 1, 5 and 3 blocks": {
    samples: 3,
    channels: 16,
    out: 8,
    size: [12, 4, 20],
    grid: [3, 1, 5],
    visible: [1, 5, 3],
    bias: true,
  },
  "blocks of 2, one visible": { channels: 8, out: 8, size: cube(6), grid: [3, 3, 3], visible: [1] },
  "blocks of 2, two samples": {
    samples: 2,
    channels: 24,
    out: 8,
    size: cube(6),
    grid: cube(3),
    visible: [9, 20],
  },
  "blocks of 1": { channels: 8, out: 8, size: cube(3), grid: cube(3), visible: [11] },
  "blocks of 3": { channels: 8, out: 8, size: cube(9), grid: cube(3), visible: [12] },
  "blocks of 2 x 4 x 6": { channels: 8, out: 8, size: [4, 8, 12], grid: [2, 2, 2], visible: [5] },
  "dense input, sparse output": {
    samples: 2,
    channels: 8,
    out: 16,
    size: cube(8),
    grid: cube(2),
    visible: [3, 1],
    denseInput: true,
    bias: true,
  },
};

describe("either form wherever it is possible", () => {
  test.each(Object.entries(shapes))("%s", (_, c) => check(c, [FORCE_F2, FORCE_F4]));
});

describe("where it is chosen", () => {
  test.each([5, 7, 10, 14, 20])("dense %i³", (n) =>
    check({ channels: 16, out: 16, size: cube(n) }, [F2, F4]),
  );
  test.each([28, 50])("dense, two rows of %i", (n) =>
    check({ channels: 8, out: 8, size: [2, n, n], bias: true }, [F2, F4]),
  );
  test.each([32, 16, 8, 4, 2])("blocks of %i", (edge) =>
    check(
      { channels: 8, out: 8, size: [edge, 2 * edge, 2 * edge], grid: [1, 2, 2], visible: [2], bias: true },
      [F2, F4],
    ),
  );
});

// The weight gradient sums over slots where channels are few, for more of them by frequency of depth, over batches of
// tiles where they are many.
const slots: Case = { channels: 8, out: 12, size: cube(20) };
const depths: Case = { channels: 66, out: 64, size: [6, 12, 16], bias: true };
const batches: Case = { channels: 140, out: 136, size: [4, 8, 8], bias: true };
test.each([
  ["slots", slots, [F2]],
  ["slots by depth", depths, [F2, F4]],
  ["batches", batches, [F2]],
] as [string, Case, number[]][])("weight gradients over %s", (_, c, allowed) => check(c, allowed));

// Where weights outweigh tiles they are transformed panel by panel: here two batches of tiles, too many for the oracle.
test("forward and input gradient panel by panel, beside the direct engine", async () => {
  const c = { channels: 136, out: 136, size: [6, 28, 24], bias: true } as const;
  const [direct, found] = [await results(c, 0), await results(c, F4)];
  expect(errorOf(found.y, direct.y, "deviation")).toBeLessThanOrEqual(bounds[F4] as number);
  expect(errorOf(found.gx, direct.gx, "deviation")).toBeLessThanOrEqual(bounds[F4] as number);
  setThreads(1);
  const one = await results(c, F4);
  setThreads(8); // more than panels: they share out tiles too
  expect(await results(c, F4)).toEqual(one);
  setThreads(threads);
  expect(one).toEqual(found);
});

describe("rounding", () => {
  const wide = { channels: 640, out: 8, size: cube(8) };
  test.each([
    ["direct", OFF],
    ["f2", FORCE_F2],
    ["f4", FORCE_F4],
  ])("%s stays in its bound with 640 channels", async (_, winograd) => {
    const wanted = await results(wide, "reference");
    const found = await results(wide, winograd as number);
    expect(errorOf(found.y, wanted.y, "deviation")).toBeLessThanOrEqual(bounds[winograd as number] as number);
  });
});

describe("determinism", () => {
  const cases: Case[] = [
    { samples: 2, channels: 24, out: 40, size: cube(8), grid: cube(2), visible: [5, 2], bias: true },
    { channels: 72, out: 72, size: [4, 6, 8], bias: true },
    slots,
    { ...depths, size: [4, 8, 8] },
    { ...batches, size: [2, 4, 8] },
  ];
  const isas = ["scalar", "avx2", "avx512"].slice(
    0,
    1 + ["scalar", "avx2", "avx512"].indexOf(native.info().bestIsa),
  );
  afterEach(() => {
    native.configure({ isa: native.info().bestIsa });
    setThreads(threads);
  });

  test.each(isas)("the same bits for any number of threads, %s", async (isa) => {
    native.configure({ isa });
    for (const c of cases)
      for (const winograd of [FORCE_F2, FORCE_F4]) {
        setThreads(1);
        const one = await results(c, winograd);
        for (const several of isa === native.info().bestIsa ? [2, 3, 8] : [3]) {
          setThreads(several);
          expect(await results(c, winograd)).toEqual(one);
        }
      }
  });

  test.each(isas)("right with %s", async (isa) => {
    native.configure({ isa });
    for (const c of [...cases.slice(0, 2), shapes["ragged 5 x 7 x 10"] as Case])
      await check(c, [FORCE_F2, FORCE_F4]);
  });
});

test("no memory is left behind", async () => {
  const before = stats("cpu").liveBytes;
  for (const c of [shapes["blocks of 2, two samples"] as Case, batches]) await results(c, FORCE_F4);
  expect(stats("cpu").liveBytes).toBe(before);
});

test("an unknown value is refused", () => {
  const x = tensor(new Float32Array(8), [1, 1, 2, 2, 2]);
  const weight = tensor(new Float32Array(1), [1, 1, 1, 1, 1]);
  expect(() => launch("conv3d_forward", [x, weight], { winograd: 5 })).toThrow(
    "winograd is 5, allowed are 0",
  );
  x.dispose();
  weight.dispose();
});
