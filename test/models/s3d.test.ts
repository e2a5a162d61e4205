/** S3D against PyTorch (test/golden/generate.py): activations 1e-5, gradients 1e-4, loss curves 1e-4. */
import { Tape } from "../../lib/autograd";
import { BlockMask } from "../../lib/block-mask";
import { maskedMse } from "../../lib/ops/masked-mse";
import { poly } from "../../lib/optim/schedules";
import { SGD } from "../../lib/optim/sgd";
import { pretrainStep } from "../../lib/recipes/step";
import { scope } from "../../lib/scope";
import { stats, type Tensor, tensor } from "../../lib/tensor";
import { goldenS3D, pick } from "../golden/golden";
import { pattern } from "../golden/pattern";
import { distance, goldenMask, goldenModel, probe } from "./golden-model";

const cases = [
  "instance",
  "batch",
  "instance_anisotropic",
  "batch_anisotropic",
  "coarse_dense",
  "coarse_any",
];

describe.each(cases)("small S3D '%s' equals PyTorch", (name) => {
  const { entry, tensors } = goldenS3D(name);
  const input = () =>
    tensor(pattern(entry.input.seed, entry.input.step, entry.mask.samples, entry.patch), [
      entry.mask.samples,
      1,
      ...entry.patch,
    ]);

  test("activations of every stage", async () => {
    const model = goldenModel(entry.plan, tensors);
    const [x, mask] = [input(), goldenMask(entry.mask)];
    const seen = scope(() => {
      const skips = model.encode(x, mask);
      return { encoder: skips, densified: skips.map((f, i) => model.densifySkip(f, i, mask)) };
    });
    for (const [kind, list] of Object.entries(seen) as ["encoder" | "densified", Tensor[]][])
      for (const [i, t] of list.entries()) {
        const stored = pick(tensors, `activation.${kind}.${i}`);
        const values = probe(await t.data(), t.shape, entry.activations[`${kind}.${i}`].probe);
        expect({ kind, i, error: distance(values, stored.data) }).toEqual({
          kind,
          i,
          error: expect.toBeAtMost(1e-5),
        });
        t.dispose();
      }
    for (const t of [x, mask, model]) t.dispose();
  });

  test.each([
    ["folded tokens", true],
    ["filled skips", false],
  ])("prediction, loss and every gradient by %s; nothing is left alive", async (_, tokenFolding) => {
    const before = stats().liveBytes;
    const model = goldenModel({ ...entry.plan, tokenFolding }, tensors);
    const [x, mask] = [input(), goldenMask(entry.mask)];
    const tape = new Tape();
    const { loss, prediction } = scope(() =>
      tape.record(() => {
        const prediction = model.forward(x, mask);
        return { prediction, loss: maskedMse(prediction, x, mask) };
      }),
    );
    tape.backward(loss);
    expect(distance(await prediction.data(), pick(tensors, "activation.prediction").data)).toBeLessThan(1e-5);
    expect(Math.abs((await loss.item()) / entry.loss - 1)).toBeLessThan(1e-5);
    for (const [parameter, p] of model.parameters()) {
      if (entry.withoutGradient.includes(parameter)) {
        expect([parameter, p.grad]).toEqual([parameter, undefined]);
        continue;
      }
      // Gradients that vanish by construction (biases before a norm) are judged against the whole gradient.
      const floor = entry.vanishing.includes(parameter) ? entry.gradNorm / 10 : 0;
      const error = distance(await p.grad!.data(), pick(tensors, `grad.${parameter}`).data, floor);
      expect({ parameter, error }).toEqual({ parameter, error: expect.toBeAtMost(1e-4) });
    }
    if (entry.plan.norm === "batch") {
      for (const [buffer, t] of model.state())
        if (buffer.includes("running_"))
          expect(distance(await t.data(), pick(tensors, `after.${buffer}`).data)).toBeLessThan(1e-5);
      model.train(false);
      const evaluated = scope(() => maskedMse(model.forward(x, mask), x, mask));
      expect(Math.abs((await evaluated.item()) / entry.evaluationLoss - 1)).toBeLessThan(1e-4);
      evaluated.dispose();
    }
    for (const t of [x, loss, prediction, mask, model]) t.dispose();
    expect(stats().liveBytes).toBe(before);
  });
});

describe("switches of the sparsification and upstream parity", () => {
  const { entry, tensors } = goldenS3D("instance");
  test.each(entry.switches as { name: string; loss: number; gradNorm: number }[])(
    "$name",
    async (variant) => {
      const model = goldenModel({ ...entry.plan, ...variant }, tensors);
      const optimizer = new SGD(model.parameters());
      const patches = pattern(entry.input.seed, entry.input.step, 2, entry.patch);
      const mask = goldenMask(entry.mask);
      const step = {
        patches,
        shape: [2, 1, ...entry.patch],
        mask: { ...mask, grid: [...mask.grid] as [number, number, number], ratios: [] },
        device: "cpu" as const,
      };
      const { loss, gradientNorm } = pretrainStep(model, optimizer, step, 0);
      expect(Math.abs((await loss.item()) / variant.loss - 1)).toBeLessThan(1e-5);
      expect(Math.abs((await gradientNorm.item()) / variant.gradNorm - 1)).toBeLessThan(1e-4);
      for (const t of [loss, gradientNorm, mask, optimizer, model]) t.dispose();
    },
  );
});

test.each([
  ["f2", 2e-5],
  ["f4", 5e-4],
] as const)("Winograd convolutions '%s' stay within %f of PyTorch's prediction", async (winograd, limit) => {
  const { entry, tensors } = goldenS3D("instance");
  const model = goldenModel({ ...entry.plan, winograd }, tensors);
  const x = tensor(pattern(entry.input.seed, entry.input.step, 2, entry.patch), [2, 1, ...entry.patch]);
  const mask = goldenMask(entry.mask);
  const y = scope(() => model.forward(x, mask));
  expect(distance(await y.data(), pick(tensors, "activation.prediction").data)).toBeLessThan(limit);
  for (const t of [x, y, mask, model]) t.dispose();
});

describe.each(["curve_instance", "curve_batch"])("20 steps of pre-training, %s", (name) => {
  test("losses equal PyTorch's and no byte stays behind a step", async () => {
    const { entry, tensors } = goldenS3D(name);
    const model = goldenModel(entry.plan, tensors);
    const { momentum, nesterov, weightDecay, clip, learningRate, power, steps } = entry.optimizer;
    const optimizer = new SGD(model.parameters(), { momentum, nesterov, weightDecay, clip });
    const rate = poly(learningRate, steps, power);
    let live: number | undefined;
    for (let step = 0; step < steps; step++) {
      const m = entry.masks[step];
      const visible = Uint8Array.from(m.visible, Number);
      const patches = pattern(entry.input.seed, entry.input.firstStep + step, m.samples, entry.patch);
      const result = pretrainStep(
        model,
        optimizer,
        {
          patches,
          shape: [m.samples, 1, ...entry.patch],
          mask: { ...m, visible, ratios: [] },
          device: "cpu",
        },
        rate(step),
      );
      const loss = await result.loss.item();
      expect({ step, error: Math.abs(loss / entry.float64.losses[step] - 1) }).toEqual({
        step,
        error: expect.toBeAtMost(1e-4),
      });
      result.loss.dispose();
      result.gradientNorm.dispose();
      live ??= stats().liveBytes;
      expect(stats().liveBytes).toBe(live);
    }
    optimizer.dispose();
    model.dispose();
  });
});

test("a mask that fits nothing is refused", () => {
  expect(() => new BlockMask({ samples: 1, grid: [2, 2, 2], visible: new Uint8Array(8) })).toThrow(
    /at least one must be visible/,
  );
});
