import { readFileSync } from "node:fs";
import { join } from "node:path";
import {
  concat,
  gaussianWindow,
  type Network,
  predictLogits,
  type SlidingWindowOptions,
  slidingWindow,
  stats,
  type Tensor,
  tensor,
  windowStarts,
  zeros,
} from "../../lib";
import { launch } from "../../lib/launch";
import { rng } from "../../lib/random";
import { relativeError } from "../golden/check";

type Triple = readonly [number, number, number];
const identity: Network = (x) => launch("add_forward", [x, zeros(x.shape)], {})[0] as Tensor;

async function predict(networks: Network | Network[], volume: Tensor, options: SlidingWindowOptions) {
  const generator = predictLogits(networks, volume, options);
  let step = await generator.next();
  for (; !step.done; step = await generator.next());
  return step.value;
}

const noise = (size: Triple, channels = 1) =>
  rng(5, size[0], "test", size[2]).fillNormal(new Float32Array(channels * size[0] * size[1] * size[2]));

/** z, y and x of every voxel, one channel each. */
function ramp([d, h, w]: Triple): Float32Array {
  const axes = [d * h * w, h * w, w];
  return Float32Array.from({ length: 3 * d * h * w }, (_, i) => {
    const [axis, voxel] = [Math.floor(i / axes[0]!), i % axes[0]!];
    return axis === 0
      ? Math.floor(voxel / axes[1]!)
      : axis === 1
        ? Math.floor(voxel / axes[2]!) % h
        : voxel % w;
  });
}

describe("window arithmetic", () => {
  test.each([
    [110, 64, 0.5, [0, 23, 46]],
    [64, 64, 0.5, [0]],
    [65, 64, 0.5, [0, 1]],
    [96, 64, 0.5, [0, 32]],
    [97, 64, 0.5, [0, 16, 33]], // 16.5 goes to the even neighbour
    [99, 64, 0.5, [0, 18, 35]], // 17.5 as well
    [128, 64, 1, [0, 64]],
    [10, 1, 0.5, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9].flatMap((i) => (i ? [i - 0.5, i] : [0]))],
  ])("size %i, patch %i, step %d", (size, patch, step, wanted) => {
    const even = (v: number) => (v % 1 === 0.5 ? 2 * Math.round(v / 2) : v);
    expect(windowStarts(size, patch, step)).toEqual(wanted.map(even));
  });

  test.each([
    [5, 6, 0.5],
    [5, 0, 0.5],
    [5, 2.5, 0.5],
    [5, 2, 0],
    [5, 2, 1.1],
    [5, 2, Number.NaN],
  ])("refuses size %d, patch %d, step %d", (size, patch, step) => {
    expect(() => windowStarts(size, patch, step)).toThrow(/allowed/);
  });

  test.each(
    JSON.parse(readFileSync(join(__dirname, "../golden/gaussian_window.json"), "utf8")).windows as {
      patch: Triple;
      values: number[];
    }[],
  )("Gaussian window of $patch is scipy's", ({ patch, values }) => {
    const window = gaussianWindow(patch);
    expect(window.length).toBe(values.length);
    for (const [i, w] of window.entries()) expect(Math.abs(w / values[i]! - 1)).toBeLessThanOrEqual(1e-6);
    expect(Math.max(...window)).toBe(10);
  });
});

describe("a network that changes nothing gives the volume back", () => {
  const patch = [6, 5, 8] as const;
  const sizes: [string, Triple][] = [
    ["patch − 1", [5, 4, 7]],
    ["patch", [6, 5, 8]],
    ["patch + 1", [7, 6, 9]],
    ["one slice", [1, 11, 17]],
    ["one column", [3, 1, 1]],
    ["large", [17, 12, 20]],
  ];
  const variants: [string, Partial<SlidingWindowOptions>][] = [
    ["Gaussian", {}],
    ["uniform", { gaussian: false }],
    ["mirrored", { mirror: [0, 1, 2] }],
    ["no overlap", { step: 1 }],
  ];
  test.each(sizes.flatMap(([a, size]) => variants.map(([b, o]) => [a, b, size, o] as const)))(
    "%s, %s",
    async (_, __, size, options) => {
      for (const data of [ramp(size), noise(size, 3)]) {
        using volume = tensor(data, [1, 3, ...size]);
        const found = await predict(identity, volume, { patch, channels: 3, ...options });
        expect(relativeError(found, data)).toBeLessThanOrEqual(1e-5); // up to 512 roundings a voxel
      }
    },
  );
});

test("mirroring averages the logits of all mirrored inputs", async () => {
  const size = [4, 3, 5] as const;
  const data = noise(size);
  using volume = tensor(data, [1, 1, ...size]);
  using gain = tensor(ramp(size).subarray(2 * 60), [1, 1, ...size]); // depends on x: 0 … 4
  const network: Network = (x) => launch("add_forward", [x, gain], {})[0] as Tensor;
  const plain = await predict(network, volume, { patch: size, channels: 1 });
  expect(
    relativeError(
      plain,
      data.map((v, i) => v + (i % 5)),
    ),
  ).toBeLessThanOrEqual(1e-6);
  const mirrored = await predict(network, volume, { patch: size, channels: 1, mirror: [2, 0] });
  expect(
    relativeError(
      mirrored,
      data.map((v) => v + 2),
    ),
  ).toBeLessThanOrEqual(1e-6);
});

test("an ensemble averages logits", async () => {
  const size = [5, 9, 6] as const;
  const data = noise(size);
  using volume = tensor(data, [1, 1, ...size]);
  const twice: Network = (x) => launch("add_forward", [x, x], {})[0] as Tensor;
  const options = { patch: [4, 4, 4], channels: 1 } as const;
  const found = await predict([identity, twice, identity], volume, options);
  expect(
    relativeError(
      found,
      data.map((v) => (v * 4) / 3),
    ),
  ).toBeLessThanOrEqual(2e-6);
});

describe("slabs", () => {
  const size = [41, 9, 10] as const;
  const options = { patch: [8, 6, 6], channels: 2, mirror: [1] } as const;
  const network: Network = (x) => concat(x, launch("leaky_relu_forward", [x], { slope: 0.1 })[0] as Tensor);
  const least = 2 * 4 * 3 * 8 * 9 * 10;

  test("of any budget give the same bits, in order and without gaps", async () => {
    using volume = tensor(noise(size), [1, 1, ...size]);
    const wanted = await predict(network, volume, { ...options, slabBytes: 1e9 });
    const thickness: number[] = [];
    for (const slabBytes of [undefined, least, 1.5 * least, 3 * least]) {
      const found = await predict(network, volume, { ...options, ...(slabBytes && { slabBytes }) });
      expect(Buffer.from(found.buffer).equals(Buffer.from(wanted.buffer))).toBe(true);
      let [end, count] = [0, 0];
      for await (const { slab } of slidingWindow(network, volume, {
        ...options,
        ...(slabBytes && { slabBytes }),
      })) {
        if (!slab) continue;
        expect(slab.begin).toBe(end);
        expect(slab.logits.length).toBe(2 * (slab.end - slab.begin) * 90);
        end = slab.end;
        count++;
      }
      expect(end).toBe(41);
      thickness.push(count);
    }
    expect(thickness).toEqual([10, 10, 5, 2]);
  });

  test("progress counts every patch, memory is given back, also on an early end", async () => {
    using volume = tensor(noise(size), [1, 1, ...size]);
    const before = stats("cpu").liveTensors;
    const seen: number[] = [];
    for await (const { done, total, slab } of slidingWindow(network, volume, options)) {
      expect(total).toBe(10 * 2 * 3);
      if (!slab) seen.push(done);
    }
    expect(seen).toEqual(Array.from({ length: 60 }, (_, i) => i + 1));
    expect(stats("cpu").liveTensors).toBe(before);
    for await (const { done } of slidingWindow(network, volume, options)) if (done === 7) break;
    expect(stats("cpu").liveTensors).toBe(before);
  });

  test.each<[string, Network, Partial<SlidingWindowOptions>, RegExp]>([
    [
      "a budget below one slab",
      network,
      { slabBytes: least - 1 },
      /slabBytes is 17279, allowed is at least 17280/,
    ],
    [
      "logits of another shape",
      identity,
      {},
      /logits of shape \(1, 1, 8, 6, 6\), allowed is \(1, 2, 8, 6, 6\)/,
    ],
    ["an axis that is none", network, { mirror: [3 as 2] }, /mirror axes are \[3\]/],
    ["an axis given twice", network, { mirror: [1, 1] }, /mirror axes are \[1,1\]/],
    ["no channels", network, { channels: 0 }, /channels is 0/],
    ["a patch of size 0", network, { patch: [8, 0, 6] }, /patch is 0/],
  ])("refuse %s and free everything", async (_, run, change, message) => {
    using volume = tensor(noise(size), [1, 1, ...size]);
    const before = stats("cpu").liveTensors;
    await expect(predict(run, volume, { ...options, ...change })).rejects.toThrow(message);
    expect(stats("cpu").liveTensors).toBe(before);
  });

  test("refuse logits that are not finite, and a volume of two samples", async () => {
    const data = noise(size);
    data[20 * 90] = Number.NaN;
    using volume = tensor(data, [1, 1, ...size]);
    await expect(predict(network, volume, options)).rejects.toThrow(
      expect.objectContaining({ code: "ERR_VOXELSPARK_NON_FINITE" }),
    );
    const promised = (async (x: Tensor) => network(x)) as never;
    await expect(predict(promised, volume, options)).rejects.toThrow(/a Tensor is needed, not a promise/);
    using two = zeros([2, 1, 8, 8, 8]);
    await expect(predict(network, two, options)).rejects.toThrow(/shape \(2, 1, 8, 8, 8\)/);
  });
});
