import { add, BlockMask, leakyRelu, scope, stats, Tape, type Tensor, tensor, zeros } from "../lib";

const random = (n: number) => Float32Array.from({ length: n }, () => Math.random() * 4 - 2);

describe("tensor", () => {
  test("round trip keeps (N, C, D, H, W) order", async () => {
    const data = random(2 * 3 * 4 * 5 * 6);
    using t = tensor(data, [2, 3, 4, 5, 6]);
    expect(await t.data()).toEqual(data);
  });

  test("a masked tensor stores visible blocks and reads zeros elsewhere", async () => {
    const mask = new BlockMask({
      samples: 2,
      grid: [2, 1, 2],
      visible: Uint8Array.of(1, 0, 0, 1, 0, 1, 1, 1),
    });
    const data = random(2 * 30 * 4 * 2 * 6);
    const before = stats().liveBytes;
    const t = tensor(data, [2, 30, 4, 2, 6], { mask });
    expect(stats().liveBytes - before).toBeLessThan(8000); // dense would be 11520;
    const back = await t.data();
    for (let i = 0; i < data.length; i++) {
      const x = i % 6,
        z = Math.floor(i / 12) % 4,
        n = Math.floor(i / (30 * 48));
      const seen = mask.visible[n * 4 + Math.floor(z / 2) * 2 + Math.floor(x / 3)];
      expect(back[i]).toBe(seen ? data[i] : 0);
    }
    t.dispose();
    mask.dispose();
  });

  test("labels and plain arrays go in as numbers, at first and when set", async () => {
    using t = tensor(Uint8Array.of(0, 1, 255), [3]);
    expect(await t.data()).toEqual(Float32Array.of(0, 1, 255));
    t.set([1, 2, 3]);
    expect(await t.data()).toEqual(Float32Array.of(1, 2, 3));
    t.set(Int16Array.of(-1, 0, 1));
    expect(await t.data()).toEqual(Float32Array.of(-1, 0, 1));
    expect(() => t.set([1, 2])).toThrow(expect.objectContaining({ code: "ERR_VOXELSPARK_SHAPE" }));
    expect(() => t.set(BigInt64Array.of(1n, 2n, 3n) as never)).toThrow(TypeError);
  });

  test("use after dispose is a typed error", () => {
    const t = zeros([3]);
    t.dispose();
    t.dispose();
    expect(() => leakyRelu(t)).toThrow(expect.objectContaining({ code: "ERR_VOXELSPARK_DISPOSED" }));
  });

  test("scope frees what it does not return", () => {
    const before = stats().liveTensors;
    const y = scope(() => {
      const x = zeros([1000]);
      return leakyRelu(leakyRelu(x));
    });
    expect(stats().liveTensors).toBe(before + 1);
    y.dispose();
    expect(() =>
      scope(() => {
        zeros([4]);
        throw new Error("inside");
      }),
    ).toThrow("inside");
    expect(stats().liveTensors).toBe(before);
  });
});

describe("tape", () => {
  test.each(["cpu", "reference"] as const)("gradient through shared inputs on %s", async (device) => {
    const before = stats(device).liveTensors;
    const x = tensor([-2, 3, -1, 5], [4], { device, requiresGrad: true });
    const w = tensor([1, 2, 3, 4], [4], { device });
    const tape = new Tape();
    const y = scope(() => tape.record(() => add(add(leakyRelu(x, 0.5), x), x)));
    tape.backward(y as Tensor, w);
    expect(Array.from(await y.data())).toEqual([-5, 9, -2.5, 15]);
    expect(Array.from(await (x.grad as Tensor).data())).toEqual([2.5, 6, 7.5, 12]);
    for (const t of [x, y, w]) t.dispose();
    expect(stats(device).liveTensors).toBe(before);
  });
});
