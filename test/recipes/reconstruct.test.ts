/** Reconstruction of volumes smaller than the patch: what lies outside is what it was in training. */
import { reconstruct } from "../../lib/recipes/reconstruct";
import { initialState, tinyPlan } from "../fixtures";
import { freeAfterEach } from "../lifetime";

freeAfterEach();

const SMALL = [11, 16, 9] as const;
const data = Float32Array.from({ length: 11 * 16 * 9 }, (_, i) => Math.sin(i) - 0.2);

/** The volume in the corner of one of 16³, `fill` elsewhere. */
function padded(fill: number): Float32Array {
  const out = new Float32Array(16 ** 3).fill(fill);
  for (let i = 0; i < data.length; i++) {
    const [z, y, x] = [Math.floor(i / (16 * 9)), Math.floor(i / 9) % 16, i % 9];
    out[(z * 16 + y) * 16 + x] = data[i]!;
  }
  return out;
}

test.each([
  ["minimum", Math.min(...data)],
  ["zero", 0],
] as const)("padding %s", async (padding, fill) => {
  const plan = tinyPlan({ padding });
  using state = initialState(plan);
  const run = async (volume: Float32Array, shape: readonly [number, number, number]) => {
    const steps = reconstruct(plan, state.model, volume, shape, { ratio: 0.5, seed: 1, device: "cpu" });
    for (;;) {
      const step = await steps.next();
      if (step.done) return step.value.reconstruction;
    }
  };
  const [small, whole] = [await run(data, SMALL), await run(padded(fill), [16, 16, 16])];
  expect(small.some((v, i) => v !== data[i])).toBe(true);
  expect([...small]).toEqual(
    Array.from(small, (_, i) => whole[(Math.floor(i / 144) * 16 + (Math.floor(i / 9) % 16)) * 16 + (i % 9)]),
  );
});
