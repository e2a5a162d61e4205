/** The step of fine-tuning: initial weights, loss, what is frozen, and that it learns. */
import { Tape } from "../../lib/autograd";
import { classMap, regionMap } from "../../lib/evaluation/logits-counts";
import { type LabelScheme, outputChannels } from "../../lib/labels";
import type { ResEncUNet } from "../../lib/models/resenc-unet";
import { diceCrossEntropy } from "../../lib/ops/dice-cross-entropy";
import type { FinetunePlan, FinetunePlanInput } from "../../lib/plans/finetune";
import { finetune, finetuneStep } from "../../lib/recipes/finetune";
import {
  labelTensor,
  logitsLoss,
  segmentationLoss,
  supervisionWeights,
} from "../../lib/recipes/segmentation-loss";
import { buildSegmenter, groupOf, Tuner } from "../../lib/recipes/segmenter";
import { validateSegmentation } from "../../lib/recipes/validate-segmentation";
import { tensor } from "../../lib/tensor";
import { ballBatch, ballSource, tinyTuning } from "../finetune-fixtures";
import golden from "../golden/pseudo_dice.json";
import { freeAfterEach } from "../lifetime";

freeAfterEach();
jest.setTimeout(60_000);

const tuner = (plan: FinetunePlan, step = 0) => new Tuner(plan, buildSegmenter(plan, "cpu"), step);

async function values(t: Tuner, kind: "model" | "optimizer" = "model") {
  const found = new Map<string, string>();
  for (const [name, tensor] of t[kind].state())
    found.set(name, Buffer.from((await tensor.data()).buffer).toString("hex"));
  return found;
}

describe("initial weights (method.md §1.4)", () => {
  test("are He-normal, biases 0, residual branches 0", async () => {
    using model = buildSegmenter(tinyTuning({ network: { features: [16, 32] } }), "cpu");
    for (const [name, t] of model.state()) {
      const data = (await t.data()) as Float32Array;
      const square = data.reduce((sum, v) => sum + v * v, 0) / data.length;
      if (/conv2\.norm\.weight$/.test(name)) expect(Math.max(...data.map(Math.abs))).toBe(0);
      else if (/norm\.weight$/.test(name)) expect(Math.min(...data)).toBe(1);
      else if (/bias$/.test(name)) expect(Math.max(...data.map(Math.abs))).toBe(0);
      else if (data.length > 1000) {
        const [, channels, ...kernel] = t.shape as [number, number, ...number[]]; // of a transposed one those that it makes
        const fanIn = channels * kernel.reduce((a, b) => a * b, 1);
        expect(Math.sqrt(square) / Math.sqrt(2 / 1.0001 / fanIn)).toBeCloseTo(1, 1);
      }
    }
  });
});

describe("loss", () => {
  test("weights of deep supervision (method.md §11)", () => {
    expect(supervisionWeights(5).map((w) => Number(w.toFixed(4)))).toEqual([
      0.5333, 0.2667, 0.1333, 0.0667, 0,
    ]);
    expect(supervisionWeights(1)).toEqual([1]);
  });

  test("−1 is background; labels of lower resolutions are those of the nearest voxel", async () => {
    const k3 = [3, 3, 3] as const;
    const plan = tinyTuning({
      loss: { deepSupervision: true },
      network: {
        features: [4, 8, 8, 8],
        blocks: [1, 1, 1, 1],
        kernels: [k3, k3, k3, k3],
        strides: [
          [1, 1, 1],
          [2, 2, 2],
          [2, 2, 2],
          [2, 2, 2],
        ],
        decoder: { convs: [1, 1, 1] },
      },
    });
    using model = buildSegmenter(plan, "cpu");
    const { images, labels } = ballBatch(plan, 0);
    const x = tensor(images, [2, 1, 16, 16, 16]);
    const found = await segmentationLoss(
      plan,
      model,
      x,
      labelTensor(labels, [2, 1, 16, 16, 16], "cpu"),
    ).item();
    const [full, half] = model.forwardScales(x, 2);
    const background = labels.map((v) => Math.max(v, 0));
    const coarse = new Float32Array(2 * 8 ** 3);
    coarse.forEach((_, i) => {
      const [n, z, y, w] = [Math.floor(i / 512), Math.floor(i / 64) % 8, Math.floor(i / 8) % 8, i % 8];
      // nearest-exact: floor((i + 0.5) · 2)
      coarse[i] = background[((n * 16 + 2 * z + 1) * 16 + 2 * y + 1) * 16 + 2 * w + 1]!;
    });
    const high = await diceCrossEntropy(full!, tensor(background, [2, 1, 16, 16, 16])).item();
    const low = await diceCrossEntropy(half!, tensor(coarse, [2, 1, 8, 8, 8])).item();
    expect(found).toBeCloseTo((2 * high + low) / 3, 5);
  });

  test("regions and the ignore label reach the op", async () => {
    const labels = {
      labels: { background: 0, whole: [1, 2], core: [2], ignore: 3 },
      regionsClassOrder: [1, 2],
    };
    const plan = tinyTuning({ labels, loss: { batchDice: true } });
    const logits = tensor(
      Float32Array.from({ length: 2 * 2 * 16 ** 3 }, (_, i) => Math.sin(i)),
      [2, 2, 16, 16, 16],
    );
    const target = tensor(
      Float32Array.from({ length: 2 * 16 ** 3 }, (_, i) => i % 4),
      [2, 1, 16, 16, 16],
    );
    const direct = diceCrossEntropy(logits, target, { regions: [[1, 2], [2]], ignore: 3, batchDice: true });
    expect(await logitsLoss(plan, logits, target).item()).toBe(await direct.item());
  });
});

describe("what is frozen", () => {
  const stages = (input: FinetunePlanInput = {}) => tinyTuning({ steps: 8, ...input });

  test.each<[string, FinetunePlanInput, number, string[]]>([
    ["the heads of an encoder and decoder transferred", {}, 2, ["heads"]],
    ["the decoder of an encoder transferred", { transfer: "encoder" }, 2, ["decoder", "heads"]],
    ["frozen-encoder", { schedule: { kind: "frozen-encoder" } }, 8, ["decoder", "heads"]],
    ["batch norm", { transfer: "encoder", network: { norm: "batch" } }, 2, ["decoder", "heads"]],
  ])("%s: only this changes", async (_, input, steps, groups) => {
    const plan = stages(input);
    using t = tuner(plan);
    const before = await values(t);
    for await (const { step } of finetune(plan, t, ballSource(plan), "cpu")) if (step === steps) break;
    for (const [name, after] of await values(t)) {
      const changes = groups.includes(groupOf(name)) && !/seg_layers\.(?!0)/.test(name);
      expect([name, after !== before.get(name)]).toEqual([name, changes && !vanishing(name, after, before)]);
    }
    expect([...t.optimizer.state().keys()].every((name) => groups.includes(groupOf(name)))).toBe(true);
  });

  /** Momenta and weights that a step leaves at exactly 0 are no sign of freezing. */
  const vanishing = (name: string, after: string, before: Map<string, string>) =>
    /^0*$/.test(before.get(name)!) && /^(0|8)*$/.test(after);

  test("nothing of it is recorded: a head's convolution and the loss are all that the tape holds", () => {
    const plan = stages();
    using t = tuner(plan);
    const { images, labels } = ballBatch(plan, 0);
    const x = tensor(images, [2, 1, 16, 16, 16]);
    const target = labelTensor(labels, [2, 1, 16, 16, 16], "cpu");
    const nodes = () => {
      using tape = new Tape();
      tape.record(() => segmentationLoss(plan, t.model, x, target));
      return (tape as unknown as { nodes: unknown[] }).nodes.length;
    };
    expect(nodes()).toBe(2);
    t.enterStage(2);
    expect(nodes()).toBeGreaterThan(20);
  });

  test("momenta are new where the trained set changes and stay where only the rate does", async () => {
    const plan = stages(); // stages of 2, 2 and 4 steps
    using t = tuner(plan);
    const kept: string[][] = [];
    for await (const { step } of finetune(plan, t, ballSource(plan), "cpu")) {
      const before = await values(t, "optimizer");
      t.enterStage(step);
      const after = await values(t, "optimizer");
      const zero = [...after.values()].every((v) => /^0*$/.test(v));
      kept.push([String(step), zero ? "new" : "kept"]);
      if (!zero) expect(after).toEqual(before);
    }
    expect(kept.map(([step, what]) => `${step} ${what}`)).toEqual(
      Array.from({ length: 8 }, (_, i) => `${i + 1} ${i === 1 ? "new" : "kept"}`),
    );
  });
});

test("a step that fails frees everything and can be repeated", async () => {
  const plan = tinyTuning();
  using t = tuner(plan);
  const patches = ballBatch(plan, 0);
  const short = { ...patches, labels: patches.labels.subarray(1) };
  expect(() => finetuneStep(plan, t, short, 0.1, "cpu")).toThrow(/elements|values/);
  const { loss, gradientNorm } = finetuneStep(plan, t, patches, 0.1, "cpu");
  expect(Number.isFinite(await loss.item())).toBe(true);
  expect(await gradientNorm.item()).toBeGreaterThan(0);
});

test("from scratch on balls, the Dice of unseen ones exceeds 0.9", async () => {
  const plan = tinyTuning({ transfer: "none", steps: 60, network: { features: [8, 16] } });
  using t = tuner(plan);
  const losses: number[] = [];
  for await (const { loss } of finetune(plan, t, ballSource(plan), "cpu")) losses.push(loss);
  expect(losses.at(-1)!).toBeLessThan(losses[0]! - 1);
  const { dice, meanDice } = await validateSegmentation(plan, t.model, ballSource(plan), "cpu");
  expect(Object.keys(dice)).toEqual(["ball", "core"]);
  expect(meanDice).toBeGreaterThan(0.9);
});

test("regions, an ignore label, two channels and batch norm train and validate", async () => {
  const labels = {
    labels: { background: 0, whole: [1, 2], core: [2], ignore: 3 },
    regionsClassOrder: [1, 2],
  };
  const plan = tinyTuning({
    labels,
    channels: ["T1", "T2"],
    transfer: "none",
    steps: 40,
    network: { features: [8, 16], norm: "batch" },
  });
  using t = tuner(plan);
  for await (const _ of finetune(plan, t, ballSource(plan), "cpu"));
  const before = await values(t);
  const { dice, loss } = await validateSegmentation(plan, t.model, ballSource(plan), "cpu");
  expect(await values(t)).toEqual(before); // running statistics too
  expect(Object.keys(dice)).toEqual(["whole", "core"]);
  expect(dice.whole).toBeGreaterThan(0.7);
  expect(loss).toBeLessThan(0);
});

test("label maps of logits: the largest of classes, the lowest of equal ones; regions above a sigmoid of ½", () => {
  const logits = Float32Array.of(1, 0, 5, /**/ 1, 2, 4, /**/ 0, 2, 6);
  expect([...classMap(logits, 1, 3)]).toEqual([0, 1, 2]);
  expect([...regionMap(Float32Array.of(-1, 1, /**/ 2, 0), 1, [1, 2], [3, 0])]).toEqual([3, 0]);
});

/** test/golden/pseudo_dice.py */
test.each(golden.cases)("validation Dice of $name equals NumPy's", async (c) => {
  const [samples, ...patch] = golden.shape as [number, number, number, number];
  const labels = c.scheme as unknown as LabelScheme;
  const plan = {
    ...tinyTuning({ labels }),
    patch,
    batch: samples,
    validation: { every: 1, patches: 4, smoothing: 0 },
  };
  const batches = c.logits.map((logits) => tensor(logits, [samples, outputChannels(labels), ...patch]));
  const model = { train() {}, forward: () => batches.shift()! } as unknown as ResEncUNet;
  const images = new Float32Array(samples * patch.reduce((a, b) => a * b));
  const source = {
    validationBatch: async (i: number) => ({ images, labels: Float32Array.from(c.labels[i]!) }),
  };
  const { dice, meanDice } = await validateSegmentation(plan, model, source as never, "cpu");
  expect(dice).toEqual(c.dice);
  expect(meanDice).toBeCloseTo(c.meanDice, 12);
});
