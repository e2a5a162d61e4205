/** Validation of pre-training: the mean over fixed patches, however they are put into batches. */
import { overridePlan, type Plan } from "../../lib/plans/plan";
import { rng } from "../../lib/random";
import type { PatchSource } from "../../lib/recipes/pretrain";
import { validate } from "../../lib/recipes/validate";
import { initialState, tinyPlan } from "../fixtures";
import { freeAfterEach } from "../lifetime";

freeAfterEach();

const VOXELS = 16 ** 3;

/** Patches of unlike brightness, so that their losses differ. */
const source: PatchSource = {
  batch: () => Promise.reject(new Error("validation takes no training patches")),
  validation: async (first, count) => {
    const out = new Float32Array(count * VOXELS);
    for (let i = 0; i < count; i++) {
      const patch = out.subarray(i * VOXELS, (i + 1) * VOXELS);
      rng(3, first + i, "test").fillNormal(patch, first + i, 1 + first + i);
    }
    return out;
  },
};

test("the loss is the mean over patches for every size of batches", async () => {
  const plan = tinyPlan({ validation: { patches: 5 }, mask: { ratio: 0.5 } });
  using state = initialState(plan);
  const run = (batch: number) => validate(overridePlan(plan, { batch }) as Plan, state.model, source, "cpu");
  const { loss, baseline } = await run(1);
  for (const batch of [2, 3, 5]) {
    const found = await run(batch);
    expect(found.loss / loss).toBeCloseTo(1, 5);
    expect(found.baseline / baseline).toBeCloseTo(1, 5);
  }
  const patches = await source.validation(0, 5);
  const squares = patches.reduce((sum, v) => sum + v * v, 0) / patches.length;
  expect(baseline / squares).toBeCloseTo(1, 1); // over the masked half
});
