/** Steps as CUDA graphs on the emulated device: the same bits as steps that are launched anew. */
import {
  BlockMask,
  createFinetunePlan,
  full,
  maskedMse,
  rng,
  scope,
  Tape,
  type Tensor,
  tensor,
  zeros,
} from "../../lib";
import { finetune, type LabelledPatchSource } from "../../lib/recipes/finetune";
import { RepeatedStep } from "../../lib/recipes/repeated-step";
import { buildSegmenter, Tuner } from "../../lib/recipes/segmenter";
import { buildS3D, buildSGD } from "../../lib/recipes/step";
import { freeAfterEach } from "../lifetime";
import { forget, type Steering, steer } from "./control";
import { planOf, train, valuesOf } from "./pretraining";

freeAfterEach();
afterAll(forget);

test("pre-training in fp16, with a checkpoint in between: the same bits under changing masks", async () => {
  steer();
  const plain = await train(planOf({ precision: "fp16", cudaGraph: false }));
  expect(new Set(plain.curve.map((row) => row[2])).size).toBeGreaterThan(1);
  expect(Number.isFinite(plain.curve[2]?.[1])).toBe(false);
  const plan = planOf({ precision: "fp16", cudaGraph: true });
  const half = await train(plan, { until: 4 });
  const rest = await train(plan, { from: half });
  expect({ ...rest, curve: [...half.curve, ...rest.curve] }).toEqual(plain);
});

const late: Steering[] = [
  {},
  { lateStreams: "threads" },
  { lateStreams: "created" },
  { lateStreams: "both", order: "drawn", seed: 3 },
];
test("the same in fp32, whatever streams are late", async () => {
  steer();
  const plain = await train(planOf({}));
  for (const steering of late) {
    steer(steering);
    expect(await train(planOf({ cudaGraph: true }))).toEqual(plain);
  }
});

/** Two gradients in one step, of batches that differ from step to step. */
async function accumulate(
  steps: (body: () => Record<"loss" | "norm", Tensor>, step: number) => Record<"loss" | "norm", Tensor>,
) {
  using model = buildS3D(planOf({}), "cuda");
  using optimizer = buildSGD(planOf({}), model);
  using mask = new BlockMask({ samples: 1, grid: [2, 2, 2], visible: Uint8Array.of(1, 0, 0, 1, 0, 1, 0, 0) });
  using rate = full([], 0.1, { device: "cuda" });
  const batches = [0, 1].map(() => zeros([1, 1, 8, 8, 8], { device: "cuda" }));
  const forward = (x: Tensor) => maskedMse(model.forward(x, mask), x, mask);
  const body = () => {
    const losses = batches.map((x) => {
      const tape = new Tape();
      const loss = tape.record(() => forward(x));
      tape.backward(loss);
      return loss;
    });
    const norm = optimizer.step({ learningRate: rate });
    optimizer.zeroGrad();
    return { loss: losses[1] as Tensor, norm };
  };
  const curve: number[] = [];
  for (let step = 0; step < 4; step++) {
    for (const [i, x] of batches.entries()) x.set(rng(i, step, "test").fillNormal(new Float32Array(8 ** 3)));
    rate.set(Float32Array.of(0.1 / (1 + step)));
    const { loss, norm } = steps(body, step);
    curve.push(await loss.item(), await norm.item());
    loss.dispose();
    norm.dispose();
  }
  for (const x of batches) x.dispose();
  return { curve, weights: await valuesOf(model.state()) };
}

test("gradients that accumulate, and memory that others use between the steps", async () => {
  steer();
  const plain = await accumulate((body) => scope(body));
  using graphs = new RepeatedStep<Record<"loss" | "norm", Tensor>>();
  const others: [Tensor, Float32Array][] = [];
  const repeated = await accumulate((body) => {
    const values = rng(9, others.length, "test").fillNormal(new Float32Array(50_000));
    others.push([tensor(values, [50_000], { device: "cuda" }), values]);
    return graphs.run("", body);
  });
  expect(repeated).toEqual(plain);
  for (const [t, values] of others) {
    const found = await t.data();
    expect(values.every((v, i) => v === found[i])).toBe(true);
    t.dispose();
  }
});

/** Labelled patches of two classes, some of them outside. */
const labelled: LabelledPatchSource = {
  batch: async (step) => {
    const random = rng(6, step, "test");
    const images = random.fillNormal(new Float32Array(2 * 8 ** 3));
    return { images, labels: images.map((v) => (v > 1 ? 1 : v < -2 ? -1 : 0)), waitSeconds: 0 };
  },
  validationBatch: () => Promise.reject(new Error("no validation")),
};

async function tune(cudaGraph: boolean, kind: "frozen-encoder" | "two-stage-warmup") {
  const { network, patch } = planOf({});
  const { inChannels: _, outChannels: __, ...architecture } = network;
  const plan = createFinetunePlan(
    {
      ...{ device: "cuda", cudaGraph, patch, batch: 2, steps: 6, network: architecture },
      channels: ["image"],
      labels: { labels: { background: 0, thing: 1 } },
      schedule: { kind, frozenShare: 0.5, rampShare: 0.2 },
    },
    "tiny",
  );
  using tuner = new Tuner(plan, buildSegmenter(plan, "cuda"));
  const curve: number[] = [];
  for await (const { loss, gradientNorm } of finetune(plan, tuner, labelled, "cuda"))
    curve.push(loss, gradientNorm);
  return { curve, weights: await valuesOf(tuner.model.state()) };
}

test("fine-tuning whose schedule freezes and frees the encoder", async () => {
  steer();
  expect(await tune(true, "two-stage-warmup")).toEqual(await tune(false, "two-stage-warmup"));
});
