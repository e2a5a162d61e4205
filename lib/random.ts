/**
 * Every random number of voxelspark is a pure function of (seed, step, purpose, index): Philox4x32-10, the
 * counter-based generator of Salmon et al., "Parallel Random Numbers: As Easy as 1, 2, 3" (SC11).
 *
 * The 128-bit counter is [draw, step, index, hash of purpose] and the 64-bit key is the seed, so two streams
 * never share a block, a checkpoint has no generator state to save, and neither the order in which streams
 * are used nor the number of threads or loader workers can change a value.
 */
import { ArgumentRangeError } from "./errors";

/** What a stream is for. Names are hashed, so a new name never moves the numbers of the others. */
export const PURPOSES = [
  "init", // initial weights; step 0, index = number of the parameter
  "split", // training and validation cases of a pre-training set; step 0
  "fold", // cross-validation folds of a labelled set; step 0
  "case", // which case a sample comes from; index = sample in the batch
  "patch", // where in the case a patch lies; index = sample in the batch
  "foreground", // class and voxel that a fine-tuning patch is centred on
  "augment", // rotation, scaling, mirroring and intensity changes; index = sample in the batch
  "noise", // Gaussian noise of one augmented patch, whose seed is drawn from "augment"
  "mask", // which blocks are masked; index = sample in the batch
  "mask-ratio", // how many blocks are masked; index 0 (per batch) or sample in the batch
  "validation-patch", // case and place of the fixed validation patches; step 0, index = patch
  "validation-mask", // masks of the fixed validation patches; step 0, index = patch
  "phantom", // synthetic heads; index = subject
  "preview", // patch and mask of pictures
  "bench", // inputs of benchmarks
  "test", // inputs of tests
] as const;

export type Purpose = (typeof PURPOSES)[number];

// Taken once: a lookup of a global is slow inside jest, whose global object is a proxy.
const { imul, sqrt, log, sin, cos, fround } = Math;

const M0 = 0xd2511f53;
const M1 = 0xcd9e8d57;
const W0 = 0x9e3779b9;
const W1 = 0xbb67ae85;
const TWO32 = 2 ** 32;

/** High word of the 64-bit product a·b. The partial products of 16-bit halves fit 32 unsigned bits. */
function mulHigh(a: number, b: number): number {
  const al = a & 0xffff;
  const ah = a >>> 16;
  const bl = b & 0xffff;
  const bh = b >>> 16;
  const low = imul(al, bl);
  const mid = (imul(ah, bl) + (low >>> 16)) | 0;
  const mid2 = (imul(al, bh) + (mid & 0xffff)) | 0;
  return (imul(ah, bh) + (mid >>> 16) + (mid2 >>> 16)) | 0;
}

/** One block of Philox4x32-10: four 32-bit words into `out` at `at`. Arguments are taken modulo 2³². */
export function philox4x32(
  counter: readonly [number, number, number, number],
  key: readonly [number, number],
  out: Uint32Array,
  at = 0,
): void {
  block(counter[0], counter[1], counter[2], counter[3], key[0], key[1], out, at);
}

function block(
  c0: number,
  c1: number,
  c2: number,
  c3: number,
  k0: number,
  k1: number,
  out: Uint32Array,
  at: number,
): void {
  let x0 = c0 | 0;
  let x1 = c1 | 0;
  let x2 = c2 | 0;
  let x3 = c3 | 0;
  let key0 = k0 | 0;
  let key1 = k1 | 0;
  for (let round = 0; round < 10; round++) {
    const high0 = mulHigh(x0, M0);
    const high1 = mulHigh(x2, M1);
    const low0 = imul(x0, M0);
    const low1 = imul(x2, M1);
    x0 = high1 ^ x1 ^ key0;
    x1 = low1;
    x2 = high0 ^ x3 ^ key1;
    x3 = low0;
    key0 = (key0 + W0) | 0;
    key1 = (key1 + W1) | 0;
  }
  out[at] = x0;
  out[at + 1] = x1;
  out[at + 2] = x2;
  out[at + 3] = x3;
}

/** FNV-1a over the UTF-16 units; `test/random.test.ts` asserts that no two purposes collide. */
export function hashPurpose(purpose: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < purpose.length; i++) {
    hash = imul(hash ^ purpose.charCodeAt(i), 0x01000193);
  }
  return hash >>> 0;
}

/** One stream of random numbers. Made by `rng`; cheap to make and throw away. */
export class Random {
  private readonly words = new Uint32Array(4);
  private used = 4; // words of the current block already given out
  private draw = 0; // next block
  private spareNormal: number | undefined;

  constructor(
    private readonly key0: number,
    private readonly key1: number,
    private readonly step: number,
    private readonly index: number,
    private readonly purpose: number,
  ) {}

  /** Uniform over all 32-bit unsigned integers. */
  uint32(): number {
    if (this.used === 4) {
      this.nextBlock(this.words, 0);
      this.used = 0;
    }
    return this.words[this.used++]!;
  }

  /** Uniform in [0, 1) with 53 random bits. */
  uniform(): number {
    const high = this.uint32() >>> 5;
    const low = this.uint32() >>> 6;
    return (high * 2 ** 26 + low) / 2 ** 53;
  }

  /** Uniform in [low, high); exactly `low` when both are equal. */
  uniformIn(low: number, high: number): number {
    return low + (high - low) * this.uniform();
  }

  /** Uniform over the integers 0 … n−1, free of modulo bias. n at most 2⁵³. */
  int(n: number): number {
    if (!Number.isInteger(n) || n < 1 || n > 2 ** 53) {
      throw new ArgumentRangeError(`int(n) needs a whole number from 1 to 2^53, found ${n}.`);
    }
    const range = n <= TWO32 ? TWO32 : 2 ** 53;
    const limit = range - (range % n); // values from here on would favour small remainders
    for (;;) {
      const value = range === TWO32 ? this.uint32() : this.uniform() * 2 ** 53;
      if (value < limit) return value % n;
    }
  }

  /** Standard normal (Box-Muller; the second value of each pair is kept for the next call). */
  normal(): number {
    if (this.spareNormal !== undefined) {
      const spare = this.spareNormal;
      this.spareNormal = undefined;
      return spare;
    }
    const radius = sqrt(-2 * log(1 - this.uniform()));
    const angle = 2 * Math.PI * this.uniform();
    this.spareNormal = radius * sin(angle);
    return radius * cos(angle);
  }

  /** Normal with mean 0 and deviation `std`, conditioned on |x| ≤ bound (bound in the unit of `std`). */
  truncatedNormal(std: number, bound: number): number {
    if (!(std > 0) || !(bound > 0)) {
      throw new ArgumentRangeError(`truncatedNormal needs std > 0 and bound > 0, found ${std} and ${bound}.`);
    }
    const limit = bound / std;
    for (;;) {
      // Proposals are normal, or uniform where a normal one would mostly be refused.
      const x = limit >= 1 ? this.normal() : this.uniformIn(-limit, limit);
      const accepted = limit >= 1 ? Math.abs(x) <= limit : this.uniform() < Math.exp(-0.5 * x * x);
      if (accepted) return x * std;
    }
  }

  /** Fisher-Yates in place; returns its argument. */
  shuffle<A extends { length: number; [i: number]: unknown }>(array: A): A {
    for (let i = array.length - 1; i > 0; i--) {
      const j = this.int(i + 1);
      const held = array[i];
      array[i] = array[j];
      array[j] = held;
    }
    return array;
  }

  /** Fills with uniform values in [low, high), 24 random bits each. */
  fillUniform(out: Float32Array, low = 0, high = 1): Float32Array {
    const scale = (high - low) / 2 ** 24;
    this.eachBlock(out.length, (words, at, count) => {
      for (let i = 0; i < count; i++) {
        // Rounding to float32 may reach `high` when |low| is large; the interval stays half open.
        const value = fround(low + (words[i]! >>> 8) * scale);
        out[at + i] = value < high || high <= low ? value : low;
      }
    });
    return out;
  }

  /** Fills with normal values, 32-bit uniforms under Box-Muller (|x| ≤ 6.8 deviations). */
  fillNormal(out: Float32Array, mean = 0, std = 1): Float32Array {
    const turn = (2 * Math.PI) / TWO32;
    this.eachBlock(out.length, (words, at, count) => {
      for (let i = 0; i < count; i += 2) {
        const radius = std * sqrt(-2 * log((words[i]! + 0.5) / TWO32));
        const angle = words[i + 1]! * turn;
        out[at + i] = mean + radius * cos(angle);
        if (i + 1 < count) out[at + i + 1] = mean + radius * sin(angle);
      }
    });
    return out;
  }

  private eachBlock(length: number, use: (words: Uint32Array, at: number, count: number) => void): void {
    const words = new Uint32Array(4096); // many blocks a call, so that the callback's cost vanishes
    for (let at = 0; at < length; at += words.length) {
      const count = Math.min(words.length, length - at);
      for (let i = 0; i < count; i += 4) this.nextBlock(words, i);
      use(words, at, count);
    }
  }

  private nextBlock(out: Uint32Array, at: number): void {
    if (this.draw === TWO32) {
      throw new ArgumentRangeError("A random stream is used up after 2^34 words; take another index.");
    }
    block(this.draw, this.step, this.index, this.purpose, this.key0, this.key1, out, at);
    this.draw++;
  }
}

/**
 * The stream of (seed, step, purpose, index). `seed` is a whole number below 2⁵³; `step` and `index` are
 * below 2³². The same arguments always give the same numbers.
 */
export function rng(seed: number, step: number, purpose: Purpose, index = 0): Random {
  checkWhole("seed", seed, Number.MAX_SAFE_INTEGER);
  checkWhole("step", step, TWO32 - 1);
  checkWhole("index", index, TWO32 - 1);
  return new Random(seed % TWO32, Math.floor(seed / TWO32), step, index, hashPurpose(purpose));
}

function checkWhole(name: string, value: number, max: number): void {
  if (!Number.isInteger(value) || value < 0 || value > max) {
    throw new ArgumentRangeError(`rng: ${name} must be a whole number from 0 to ${max}, found ${value}.`);
  }
}
