/** 20 steps of fine-tuning against PyTorch in float64 (test/golden/generate.py): frozen stage, ramps, decay. */

import { createFinetunePlan } from "../../lib/plans/finetune";
import { finetune } from "../../lib/recipes/finetune";
import { buildSegmenter, Tuner } from "../../lib/recipes/segmenter";
import { stats } from "../../lib/tensor";
import { goldenFinetune } from "../golden/golden";
import { pattern } from "../golden/pattern";

test("losses and gradient norms equal PyTorch's and no byte stays behind a step", async () => {
  const { entry, tensors } = goldenFinetune();
  const { features, blocks, samples, patch, steps, schedule, clip, input, float64 } = entry;
  const each = <T>(value: T): T[] => features.map(() => value);
  const plan = createFinetunePlan(
    {
      channels: ["a"],
      labels: { labels: { background: 0, one: 1, two: 2 } },
      patch,
      steps,
      batch: samples,
      transfer: "encoder",
      schedule,
      winograd: "off",
      network: {
        features,
        blocks,
        kernels: each([3, 3, 3]),
        strides: features.map((_: number, i: number) => (i === 0 ? [1, 1, 1] : [2, 2, 2])),
        decoder: { convs: features.slice(1).map(() => 1) },
      },
      optimizer: { momentum: 0.99, nesterov: true, weightDecay: 3e-5, clip },
      loss: { deepSupervision: true },
    },
    "s3d",
  );
  using tuner = new Tuner(plan, buildSegmenter(plan, "cpu"));
  for (const [name, t] of tuner.model.state()) t.set(tensors.get(`state.${name}`)!.data);
  const source = {
    async batch(step: number) {
      const images = pattern(input.seed, input.firstStep + step, samples, patch);
      const labels = images.map((v, i) => (i % patch[2] === 0 ? -1 : v > 0.5 ? 2 : v > -0.5 ? 1 : 0));
      return { images, labels, waitSeconds: 0 };
    },
    validationBatch: () => Promise.reject(new Error("not asked for")),
  };
  const live = new Set<number>();
  for await (const { step, loss, gradientNorm, learningRate } of finetune(plan, tuner, source, "cpu")) {
    expect({ step, error: Math.abs(loss - float64.losses[step - 1]) }).toEqual({
      step,
      error: expect.toBeAtMost(Math.max(1e-4, 2 * entry.float32LossError)),
    });
    expect({ step, error: Math.abs(gradientNorm / float64.gradNorms[step - 1] - 1) }).toEqual({
      step,
      error: expect.toBeAtMost(Math.max(1e-3, 2 * entry.float32NormError)),
    });
    expect(learningRate).toBeCloseTo(float64.rates[step - 1], 12);
    if (step > 5) live.add(stats().liveBytes); // until then the encoder has no momenta
  }
  expect(live.size).toBe(1);
});
