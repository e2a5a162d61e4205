/** Sliding-window prediction beside its definition: every window and mirroring on its own, sums in float64. */
import { add, leakyRelu, type Network, predictLogits, tensor } from "../../lib";
import { rng } from "../../lib/random";
import { relativeError } from "../golden/check";
import { freeAfterEach } from "../lifetime";

freeAfterEach();
type Triple = readonly [number, number, number];
const product = (s: readonly number[]) => s.reduce((a, b) => a * b, 1);

/** Starts by nnU-Net's rule, written out anew: round(i · (size − patch) / steps), halves to even. */
function starts(size: number, patch: number, share: number): number[] {
  const steps = Math.ceil((size - patch) / (patch * share));
  return Array.from({ length: steps + 1 }, (_, i) => {
    const at = steps === 0 ? 0 : (i * (size - patch)) / steps;
    const low = Math.floor(at);
    return at - low === 0.5 ? low + (low % 2) : Math.round(at);
  });
}

/** exp(−½ (d/σ)²) with σ = patch / 8 about patch // 2 and 0 beyond 4 σ, whose zeros become the smallest other value. */
function weights(patch: Triple): number[] {
  const bell = (n: number) =>
    Array.from({ length: n }, (_, i) => {
      const d = Math.abs(i - Math.floor(n / 2));
      return d > Math.floor(n / 2 + 0.5) ? 0 : Math.exp(-0.5 * (d / (n / 8)) ** 2);
    });
  const [z, y, x] = patch.map(bell) as [number[], number[], number[]];
  const all = z.flatMap((a) => y.flatMap((b) => x.map((c) => 10 * a * b * c)));
  const least = Math.min(...all.filter((w) => Math.fround(w) > 0));
  return all.map((w) => (Math.fround(w) > 0 ? w : least));
}

/** The network of this test: leaky ReLU, then something that depends on the place in the window. */
const network = (x: number, place: number) => (x > 0 ? x : 0.1 * x) + place;

function naive(
  volume: Float32Array,
  size: Triple,
  patch: Triple,
  place: Float32Array,
  share: number,
  axes: readonly number[],
): Float64Array {
  const padded = size.map((n, a) => Math.max(n, patch[a]!)) as unknown as Triple;
  const low = padded.map((n, a) => Math.floor((n - size[a]!) / 2)) as unknown as Triple;
  const [sum, norm] = [new Float64Array(product(size)), new Float64Array(product(size))];
  const window = weights(patch);
  const at = ([z, y, x]: Triple, [, h, w]: Triple) => (z * h + y) * w + x;
  const [zs, ys, xs] = padded.map((n, a) => starts(n, patch[a]!, share)) as [number[], number[], number[]];
  for (const start of zs.flatMap((z) => ys.flatMap((y) => xs.map((x): Triple => [z, y, x]))))
    for (let bits = 0; bits < 2 ** axes.length; bits++) {
      const flipped = [0, 1, 2].map((a) => axes.includes(a) && (bits >> axes.indexOf(a)) & 1);
      for (let i = 0; i < product(patch); i++) {
        const p: Triple = [
          Math.floor(i / (patch[1] * patch[2])),
          Math.floor(i / patch[2]) % patch[1],
          i % patch[2],
        ];
        const v = p.map((c, a) => start[a]! + c - low[a]!) as unknown as Triple;
        if (v.some((c, a) => c < 0 || c >= size[a]!)) continue;
        // The network sees the window mirrored, and its answer is mirrored back.
        const seen = p.map((c, a) => (flipped[a] ? patch[a]! - 1 - c : c)) as unknown as Triple;
        sum[at(v, size)]! += window[i]! * network(volume[at(v, size)]!, place[at(seen, patch)]!);
        norm[at(v, size)]! += window[i]!;
      }
    }
  return sum.map((s, i) => s / norm[i]!);
}

const cases: [Triple, Triple, number, (0 | 1 | 2)[]][] = [
  [[13, 11, 17], [6, 5, 8], 0.5, []],
  [[13, 11, 17], [6, 5, 8], 0.5, [0, 1, 2]],
  [[7, 23, 9], [8, 7, 4], 0.3, [0, 2]],
  [[1, 15, 4], [4, 6, 5], 0.5, [1]],
  [[9, 9, 31], [9, 2, 3], 1, [2, 0]],
];
test.each(cases)("volume %j, patch %j, step %d, mirrored along %j", async (size, patch, step, mirror) => {
  const data = rng(1, size[0], "test", size[2]).fillNormal(new Float32Array(product(size)));
  const place = rng(2, patch[0], "test", patch[2]).fillNormal(new Float32Array(product(patch)));
  using volume = tensor(data, [1, 1, ...size]);
  using places = tensor(place, [1, 1, ...patch]);
  const run: Network = (x) => add(leakyRelu(x, 0.1), places);
  const generator = predictLogits(run, volume, { patch, channels: 1, step, mirror });
  let found = await generator.next();
  while (!found.done) found = await generator.next();
  expect(relativeError(found.value, naive(data, size, patch, place, step, mirror))).toBeLessThanOrEqual(2e-6);
});
