/** Convolutions of two joined maps: the same bits as of their concatenation, by every engine, without making it. */
import {
  add,
  type BlockMask,
  concat,
  conv3d,
  full,
  leakyRelu,
  maskedNorm,
  resetPeak,
  scope,
  setThreads,
  stats,
  sync,
  Tape,
  type Tensor,
  type Triple,
  tensor,
  zeros,
} from "../../lib";
import { native } from "../../lib/binding";
import { launch } from "../../lib/launch";
import { rng } from "../../lib/random";
import { freeAfterEach } from "../lifetime";
import { looseMask } from "../masks";
import { isas, seed } from "../op-suite-checks";

freeAfterEach();

/** The attribute `winograd`: the direct engine, or that form wherever it is possible. */
const [DIRECT, F2, F4] = [0, 3, 4];

interface Case {
  channels: [number, number];
  out: number;
  size: Triple;
  samples?: number;
  kernel?: number;
  stride?: number;
  /** Cells of the mask, every third of which is visible. */
  grid?: [number, number, number];
  ways: readonly number[];
}

const cube = (n: number): Triple => [n, n, n];
const cases: Record<string, Case> = {
  "halves of one panel": { channels: [16, 16], out: 20, size: [6, 5, 8], ways: [DIRECT, F2, F4] },
  "a panel of both": { channels: [48, 20], out: 9, size: [4, 6, 5], samples: 2, ways: [DIRECT, F2, F4] },
  "blocks of 4": { channels: [16, 32], out: 12, size: [8, 12, 4], grid: [2, 3, 1], ways: [DIRECT, F2, F4] },
  "blocks of 1": { channels: [16, 24], out: 8, size: cube(3), grid: [3, 3, 3], ways: [DIRECT, F2] },
  "weights panel by panel": { channels: [32, 40], out: 40, size: [4, 8, 7], ways: [DIRECT, F4] },
  "any channels": { channels: [5, 23], out: 35, size: [4, 6, 5], ways: [DIRECT] },
  "few channels": { channels: [1, 2], out: 5, size: cube(5), samples: 2, ways: [DIRECT] },
  "stride 2": { channels: [7, 3], out: 18, size: cube(8), stride: 2, grid: [2, 2, 2], ways: [DIRECT] },
  "kernel 1": { channels: [33, 18], out: 3, size: cube(4), kernel: 1, ways: [DIRECT] },
};

const product = (v: readonly number[]) => v.reduce((a, b) => a * b, 1);
const normal = (shape: readonly number[], stream: number, mask?: BlockMask) =>
  tensor(rng(seed, stream, "test", 5).fillNormal(new Float32Array(product(shape))), shape, { mask });
const values = (tensors: readonly Tensor[]) => Promise.all(tensors.map((t) => t.data()));

/** Bit by bit; the names of tensors and the first places that differ. */
async function expectEqual(found: readonly Tensor[], wanted: readonly Tensor[]): Promise<void> {
  const [a, b] = [await values(found), await values(wanted)];
  const differences = b.map((v, i) => [i, v.findIndex((value, at) => !Object.is(value, a[i]?.[at]))]);
  expect(found.map((t) => t.shape)).toEqual(wanted.map((t) => t.shape));
  expect(differences.filter(([, at]) => at !== -1)).toEqual([]);
}

/** Output and gradients, of the joined maps and of their concatenation. */
function both(c: Case, winograd: number): { joined: Tensor[]; whole: Tensor[] } {
  const { channels, out, size, samples = 1, kernel: k = 3, stride: s = 1, grid } = c;
  const mask =
    grid &&
    looseMask({
      samples,
      grid,
      visible: Uint8Array.from({ length: samples * product(grid) }, (_, i) => Number(i % 3 === 0)),
    });
  const maps = channels.map((n, i) => normal([samples, n, ...size], i, mask)) as [Tensor, Tensor];
  const weight = normal([out, channels[0] + channels[1], k, k, k], 2);
  const bias = normal([out], 3);
  const gy = normal([samples, out, ...size.map((n) => n / s)], 4, mask);
  const how = { stride: cube(s), padding: cube((k - 1) / 2), winograd };
  const back = { ...how, size, mask };
  const gradient = { ...how, kernel: cube(k), bias: true };
  const x = launch("concat_forward", maps, {})[0] as Tensor;
  const gx = launch("conv3d_grad_input", [gy, weight], back)[0] as Tensor;
  return {
    joined: [
      ...launch("conv3d_forward", [maps[0], weight, bias, undefined, maps[1]], { ...how, moments: true }),
      ...launch("conv3d_grad_input", [gy, weight], { ...back, split: channels[0] }),
      ...launch("conv3d_grad_weight", [maps[0], gy, undefined, undefined, maps[1]], gradient),
    ],
    whole: [
      ...launch("conv3d_forward", [x, weight, bias], { ...how, moments: true }),
      ...launch("concat_backward", [gx], { channels }),
      ...launch("conv3d_grad_weight", [x, gy], gradient),
    ],
  };
}

afterEach(() => native.configure({ isa: native.info().bestIsa }));

async function check(c: Case): Promise<void> {
  for (const winograd of c.ways) {
    const { joined, whole } = both(c, winograd);
    await expectEqual(joined, whole);
  }
}

test.each(Object.entries(cases))("%s", (_, c) => check(c));
test.each(isas)("%s", async (isa) => {
  native.configure({ isa });
  for (const name of ["a panel of both", "any channels"]) await check(cases[name] as Case);
});

test("the same bits for any number of threads", async () => {
  const { threads } = native.info();
  try {
    for (const winograd of [DIRECT, F4]) {
      setThreads(1);
      const one = both(cases["a panel of both"] as Case, winograd).joined;
      await sync();
      setThreads(5);
      await expectEqual(both(cases["a panel of both"] as Case, winograd).joined, one);
    }
  } finally {
    setThreads(threads);
  }
});

test("first parts that fill no vectors: the direct engine, or their concatenation", async () => {
  const c = { ...(cases["any channels"] as Case), size: cube(8) };
  await expectEqual(both(c, F4).joined, both(c, DIRECT).joined);
  const [a, b, weight] = [
    normal([1, 8, 8, 8, 8], 6),
    normal([1, 8, 8, 8, 8], 7),
    normal([16, 16, 3, 3, 3], 8),
  ];
  const how = { padding: cube(1), winograd: "f4" } as const;
  const [joined, whole] = [
    conv3d([a, b], weight, undefined, how),
    conv3d(concat(a, b), weight, undefined, how),
  ];
  await expectEqual([joined], [whole]);
});

test("nothing as large as the concatenation is made", () => {
  const [a, b] = [
    zeros([1, 32, 16, 16, 16], { device: "null" }),
    zeros([1, 32, 16, 16, 16], { device: "null" }),
  ];
  const weight = zeros([8, 64, 3, 3, 3], { device: "null" });
  const needs = (make: () => Tensor) => {
    const before = stats("null").liveBytes;
    resetPeak("null");
    scope(make).dispose();
    return stats("null").peakBytes - before;
  };
  const how = { padding: cube(1), winograd: "f2" } as const;
  const saved =
    needs(() => conv3d(concat(a, b), weight, undefined, how)) -
    needs(() => conv3d([a, b], weight, undefined, how));
  expect(saved).toBe(64 * 16 ** 3 * 4);
});

test("a map joined with itself gets both gradients", async () => {
  const weight = normal([3, 4, 3, 3, 3], 9);
  const gradient = async (make: (a: Tensor) => Tensor) => {
    const a = tensor(await normal([1, 2, 4, 4, 4], 8).data(), [1, 2, 4, 4, 4], { requiresGrad: true });
    const tape = new Tape();
    const y = tape.record(() => make(a));
    tape.backward(y, full(y.shape, 1));
    return a.grad as Tensor;
  };
  const joined = await gradient((a) => conv3d([a, a], weight));
  await expectEqual([joined], [await gradient((a) => conv3d(concat(a, a), weight))]);
});

test("a norm that is pending on a part is written", async () => {
  const make = async (join: (a: Tensor, b: Tensor) => Tensor) => {
    const a = tensor(await normal([1, 16, 4, 4, 4], 8).data(), [1, 16, 4, 4, 4], { requiresGrad: true });
    const tape = new Tape();
    const how = { kind: "instance", slope: 0.1, pending: true } as const;
    const y = tape.record(() => join(maskedNorm(a, undefined, undefined, how), leakyRelu(a)));
    tape.backward(y, normal(y.shape, 10));
    return [y, a.grad as Tensor];
  };
  const weight = normal([3, 32, 3, 3, 3], 9);
  const joined = await make((a, b) => conv3d([a, b], weight));
  await expectEqual(joined, await make((a, b) => conv3d(concat(a, b), weight)));
});

test("the gradient of a map takes its memory", () => {
  const on = { device: "null" } as const;
  const x = zeros([1, 16, 16, 16, 16], { ...on, requiresGrad: true });
  const weight = zeros([4, 32, 1, 1, 1], { ...on, requiresGrad: true });
  const tape = new Tape();
  const y = tape.record(() => scope(() => conv3d([add(x, x), add(x, x)], weight)));
  const gy = zeros(y.shape, on);
  const before = stats("null").liveBytes;
  resetPeak("null");
  tape.backward(y, gy);
  expect(stats("null").peakBytes - before).toBeLessThan(1.5 * 16 ** 4 * 4);
});

test("refusals", () => {
  const [x, affine, x2] = [zeros([1, 2, 4, 4, 4]), zeros([1, 3, 3]), zeros([1, 1, 4, 4, 4])];
  const refused = (message: string) => expect.objectContaining({ message });
  const weight = zeros([3, 3, 1, 1, 1]);
  const call = (kernel: "conv3d_forward" | "conv3d_grad_weight", inputs: (Tensor | undefined)[]) => () =>
    launch(kernel, inputs, {});
  expect(call("conv3d_forward", [x, weight, undefined, affine, x2])).toThrow(
    refused("conv3d: a normalisation pending on x leaves no room for x2"),
  );
  expect(call("conv3d_grad_weight", [x, x, affine, undefined, x2])).toThrow(
    refused("conv3d_grad_weight: a normalisation pending on x leaves no room for x2"),
  );
  expect(() =>
    launch("conv3d_grad_input", [zeros([1, 3, 4, 4, 4]), weight], { size: cube(4), split: 3 }),
  ).toThrow(refused("conv3d_grad_input: split is 3, allowed are 0 (one output) to 2"));
  expect(() => conv3d([x, x, x] as unknown as [Tensor, Tensor], weight)).toThrow(
    refused("conv3d joins two maps, got 3"),
  );
  expect(() => conv3d([x, zeros([2, 1, 4, 4, 4])], weight)).toThrow(
    refused(
      "conv3d: x2 (2, 1, 4, 4, 4) does not match x (1, 2, 4, 4, 4) or its mask; only channels may differ",
    ),
  );
});
