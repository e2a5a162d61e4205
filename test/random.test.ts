import { hashPurpose, PURPOSES, type Purpose, philox4x32, rng } from "../lib/random";

const hex = (words: ArrayLike<number>) => Array.from(words, (w) => w.toString(16).padStart(8, "0")).join(" ");

/** Known-answer vectors of philox4x32-10 as published with Random123 (kat_vectors). */
const KNOWN: [[number, number, number, number], [number, number], string][] = [
  [[0, 0, 0, 0], [0, 0], "6627e8d5 e169c58d bc57ac4c 9b00dbd8"],
  [
    [0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff],
    [0xffffffff, 0xffffffff],
    "408f276d 41c83b0e a20bc7c6 6d5451fd",
  ],
  [
    [0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344],
    [0xa4093822, 0x299f31d0],
    "d16cfe09 94fdcceb 5001e420 24126ea1",
  ],
];

/** The same cipher in exact big integers: an independent second implementation. */
function philoxBig(counter: number[], key: number[]): number[] {
  const mask = 0xffffffffn;
  let [a, b, c, d] = counter.map(BigInt) as [bigint, bigint, bigint, bigint];
  let [k0, k1] = key.map(BigInt) as [bigint, bigint];
  for (let i = 0; i < 10; i++) {
    const p0 = 0xd2511f53n * a;
    const p1 = 0xcd9e8d57n * c;
    [a, b, c, d] = [(p1 >> 32n) ^ b ^ k0, p1 & mask, (p0 >> 32n) ^ d ^ k1, p0 & mask];
    k0 = (k0 + 0x9e3779b9n) & mask;
    k1 = (k1 + 0xbb67ae85n) & mask;
  }
  return [a, b, c, d].map(Number);
}

const draws = (n: number, f: () => number) => Array.from({ length: n }, f);
const mean = (x: ArrayLike<number>) => Array.from(x).reduce((s, v) => s + v, 0) / x.length;
const variance = (x: ArrayLike<number>) => {
  const m = mean(x);
  return Array.from(x).reduce((s, v) => s + (v - m) ** 2, 0) / x.length;
};

describe("philox4x32-10", () => {
  test.each(KNOWN)("known answer of counter %p key %p", (counter, key, expected) => {
    const out = new Uint32Array(4);
    philox4x32(counter, key, out);
    expect(hex(out)).toBe(expected);
  });

  test("equals a big-integer implementation on 2000 random blocks", () => {
    const source = rng(1, 0, "test");
    const out = new Uint32Array(4);
    for (let i = 0; i < 2000; i++) {
      const w = draws(6, () => source.uint32());
      philox4x32([w[0]!, w[1]!, w[2]!, w[3]!], [w[4]!, w[5]!], out);
      expect(Array.from(out)).toEqual(philoxBig(w.slice(0, 4), w.slice(4)));
    }
  });
});

describe("streams", () => {
  test("a stream is its counter and key: draw, step, index, purpose; seed", () => {
    const seed = 2 ** 40 + 5;
    const stream = rng(seed, 7, "mask", 3);
    const found = draws(8, () => stream.uint32());
    const expected = [0, 1].flatMap((draw) => philoxBig([draw, 7, 3, hashPurpose("mask")], [5, 256]));
    expect(found).toEqual(expected);
  });

  test("purposes hash to distinct, frozen values", () => {
    expect(new Set(PURPOSES.map(hashPurpose)).size).toBe(PURPOSES.length);
    expect(hashPurpose("")).toBe(0x811c9dc5);
    expect(hashPurpose("a")).toBe(0xe40c292c); // FNV-1a reference value
    expect(hashPurpose("mask")).toBe(3883353449);
  });

  test("streams do not depend on the order in which they are used", () => {
    const keys: [number, number, Purpose, number][] = [];
    for (const seed of [0, 1, 2 ** 52]) {
      for (const step of [0, 1, 249999]) {
        for (const purpose of PURPOSES) keys.push([seed, step, purpose, 0], [seed, step, purpose, 1]);
      }
    }
    const first = keys.map((k) => rng(...k).uniform());
    const streams = keys.map((k) => rng(...k));
    const backwards = streams
      .slice()
      .reverse()
      .map((s) => s.uniform())
      .reverse();
    expect(backwards).toEqual(first);
    expect(new Set(first).size).toBe(keys.length);
  });

  test.each([
    [-1, 0, 0],
    [0.5, 0, 0],
    [2 ** 53, 0, 0],
    [Number.NaN, 0, 0],
    [0, -1, 0],
    [0, 2 ** 32, 0],
    [0, 0, 1.5],
    [0, 0, Number.POSITIVE_INFINITY],
  ])("refuses seed %p, step %p, index %p", (seed, step, index) => {
    expect(() => rng(seed, step, "test", index)).toThrow(/must be a whole number from 0/);
  });
});

describe("distributions", () => {
  test("uniform lies in [0, 1) with the right moments, bits and no correlation with its neighbour", () => {
    const stream = rng(11, 0, "test");
    const x = draws(200000, () => stream.uniform());
    expect(Math.min(...x.slice(0, 1e5))).toBeGreaterThanOrEqual(0);
    expect(Math.max(...x.slice(0, 1e5))).toBeLessThan(1);
    expect(mean(x)).toBeCloseTo(0.5, 2);
    expect(variance(x)).toBeCloseTo(1 / 12, 2);
    expect(x.some((v) => (v * 2 ** 53) % 2 === 1)).toBe(true); // the 53rd bit is alive
    const lag = mean(x.slice(1).map((v, i) => (v - 0.5) * (x[i]! - 0.5))) * 12;
    expect(Math.abs(lag)).toBeLessThan(0.01);
  });

  test("chi-square of 64 bins over step, index and draw", () => {
    const fills: Record<string, (i: number) => number> = {
      step: (i) => rng(3, i, "test").uniform(),
      index: (i) => rng(3, 0, "test", i).uniform(),
      seed: (i) => rng(i, 0, "test").uniform(),
    };
    for (const f of Object.values(fills)) {
      const bins = new Float64Array(64);
      for (let i = 0; i < 64000; i++) {
        const b = Math.floor(f(i) * 64);
        bins[b] = bins[b]! + 1;
      }
      const chi = bins.reduce((s, n) => s + (n - 1000) ** 2 / 1000, 0);
      expect(chi).toBeGreaterThan(30); // 63 degrees of freedom: mean 63, deviation 11.2
      expect(chi).toBeLessThan(115);
    }
  });

  test("int(n) is unbiased and covers every value", () => {
    const stream = rng(5, 0, "test");
    const counts = new Float64Array(7);
    for (let i = 0; i < 70000; i++) {
      const v = stream.int(7);
      counts[v] = counts[v]! + 1;
    }
    for (const n of counts) expect(Math.abs(n - 10000)).toBeLessThan(400);
    // Two thirds of 2^32: plain modulo would put two thirds of the values in the lower half.
    const n = 2863311531;
    const low = draws(20000, () => stream.int(n)).filter((v) => v < n / 2).length;
    expect(Math.abs(low - 10000)).toBeLessThan(350);
    const wide = draws(2000, () => stream.int(2 ** 53));
    expect(wide.every((v) => Number.isSafeInteger(v) && v >= 0)).toBe(true);
    expect(wide.some((v) => v > 2 ** 52)).toBe(true);
    expect(stream.int(1)).toBe(0);
    for (const bad of [0, -1, 1.5, Number.NaN, 2 ** 53 + 2])
      expect(() => stream.int(bad)).toThrow(/1 to 2\^53/);
  });

  test("normal has the moments and the tails of a normal", () => {
    const stream = rng(8, 0, "test");
    const x = draws(200000, () => stream.normal());
    expect(Math.abs(mean(x))).toBeLessThan(0.01);
    expect(Math.abs(variance(x) - 1)).toBeLessThan(0.02);
    expect(mean(x.map((v) => v ** 4))).toBeCloseTo(3, 0);
    expect(x.filter((v) => Math.abs(v) > 2).length / x.length).toBeCloseTo(0.0455, 2);
  });

  test.each([
    [0.02, 0.02, 0.2911], // the mask token's: variance of N(0,1) given |x| ≤ 1
    [1, 2, 0.7737],
    [1, 0.1, 0.01 / 3],
    [10, 1, 0.01 / 3],
  ])("truncatedNormal(%p, %p)", (std, bound, unitVariance) => {
    const stream = rng(9, 0, "test");
    const x = draws(50000, () => stream.truncatedNormal(std, bound));
    expect(x.every((v) => Math.abs(v) <= bound)).toBe(true);
    expect(Math.abs(mean(x))).toBeLessThan(0.02 * bound);
    expect(variance(x) / std ** 2 / unitVariance).toBeCloseTo(1, 1);
    expect(() => stream.truncatedNormal(0, 1)).toThrow(/std > 0/);
  });

  test("shuffle is a permutation, every order equally likely", () => {
    const counts = new Map<string, number>();
    const stream = rng(10, 0, "test");
    for (let i = 0; i < 24000; i++) {
      const order = stream.shuffle([0, 1, 2, 3]).join("");
      counts.set(order, (counts.get(order) ?? 0) + 1);
    }
    expect(counts.size).toBe(24);
    for (const n of counts.values()) expect(Math.abs(n - 1000)).toBeLessThan(150);
    expect(Array.from(rng(1, 1, "test").shuffle(Uint16Array.from([5, 6, 7]))).sort()).toEqual([5, 6, 7]);
  });
});

describe("fills", () => {
  test("moments, interval, every length, the same values again", () => {
    const u = rng(2, 0, "test").fillUniform(new Float32Array(300001), -2, 3);
    expect(u.every((v) => v >= -2 && v < 3)).toBe(true);
    expect(mean(u)).toBeCloseTo(0.5, 1);
    expect(variance(u)).toBeCloseTo(25 / 12, 1);
    const n = rng(2, 0, "test").fillNormal(new Float32Array(300001), 4, 0.5);
    expect(Math.abs(mean(n) - 4)).toBeLessThan(0.01);
    expect(Math.abs(variance(n) - 0.25)).toBeLessThan(0.01);
    for (const length of [0, 1, 2, 3, 5, 4095, 4096, 4097, 9001]) {
      const fill = rng(2, 0, "test").fillNormal(new Float32Array(length), 4, 0.5);
      expect(fill).toEqual(n.slice(0, length));
    }
  });

  test("a half-open interval stays half open after rounding to float32", () => {
    const u = rng(4, 0, "test").fillUniform(new Float32Array(100000), 16777215, 16777216);
    expect(u.every((v) => v === 16777215)).toBe(true);
    expect(rng(4, 0, "test").fillUniform(new Float32Array(3), 1, 1)).toEqual(new Float32Array([1, 1, 1]));
  });

  test("weights of a whole network are drawn quickly", () => {
    const started = process.hrtime.bigint();
    rng(0, 0, "init").fillUniform(new Float32Array(4e6));
    rng(0, 0, "init").fillNormal(new Float32Array(4e6));
    expect(Number(process.hrtime.bigint() - started) / 1e6).toBeLessThan(4000); // 8 M of the network's 110 M values
  });
});
