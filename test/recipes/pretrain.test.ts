/** What pre-training starts from and what each step masks. */
import { maskedShare, sampleMask } from "../../lib/masking";
import { type PatchSource, pretrain } from "../../lib/recipes/pretrain";
import { initialState, tinyPlan } from "../fixtures";
import { freeAfterEach } from "../lifetime";

freeAfterEach();

test("initial weights are PyTorch's; tokens are normal within one deviation of 0.02 (method.md §1.4)", async () => {
  using state = initialState(tinyPlan({ network: { features: [64, 128] } }));
  const tokens: number[] = [];
  for (const [name, t] of state.model.state()) {
    const data = [...(await t.data())];
    if (name.startsWith("mask_tokens.")) tokens.push(...data);
    else if (name.endsWith("norm.weight")) expect(new Set(data)).toEqual(new Set([1]));
    else if (name.endsWith("norm.bias")) expect(new Set(data)).toEqual(new Set([0]));
  }
  const [, bias] = [...state.model.state()].find(([name]) => name === "densify_projs.1.bias")!;
  expect(Math.max(...(await bias.data()).map(Math.abs))).toBeLessThanOrEqual(1 / Math.sqrt(128 * 27));
  expect(Math.max(...tokens.map(Math.abs))).toBeLessThanOrEqual(0.02);
  const deviation = Math.sqrt(tokens.reduce((sum, v) => sum + v * v, 0) / tokens.length);
  expect(deviation / 0.0108).toBeCloseTo(1, 0); // of the cut normal distribution: 0.54 · 0.02
});

test("every step draws its own masks", async () => {
  const plan = tinyPlan({ steps: 6 });
  using state = initialState(plan);
  const patches = Float32Array.from({ length: plan.batch * 16 ** 3 }, (_, i) => Math.sin(i));
  const source: PatchSource = {
    batch: async () => ({ patches, waitSeconds: 0 }),
    validation: async () => patches,
  };
  const wanted = Array.from({ length: plan.steps }, (_, step) =>
    maskedShare(
      sampleMask({ ...plan.mask, patch: plan.patch }, { seed: plan.seed, step, samples: plan.batch }),
    ),
  );
  const found: number[] = [];
  for await (const { maskRatio } of pretrain(plan, state, source, "cpu")) found.push(maskRatio);
  expect(found).toEqual(wanted);
  expect(new Set(found).size).toBeGreaterThan(1);
});
