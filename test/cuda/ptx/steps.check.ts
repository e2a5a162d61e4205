/** Whole steps of pre-training a tiny S3D on the machine: beside the CPU, and captured as graphs. */
import { relativeError } from "../../golden/check";
import { freeAfterEach } from "../../lifetime";
import { forget, steer } from "../control";
import { planOf, train } from "../pretraining";

freeAfterEach();
afterAll(forget);

type Trained = Awaited<ReturnType<typeof train>>;
const weights = ({ weights }: Trained) => Float32Array.from(weights.flatMap(([, v]) => [...v]));

test("losses, norms of gradients and weights are the CPU's", async () => {
  steer();
  const until = 2; // no gradient survives the third
  const cpu = await train(planOf({ device: "cpu" }), { until, device: "cpu" });
  const cuda = await train(planOf({}), { until });
  for (const [step, [loss, norm]] of cpu.curve.entries()) {
    expect(Math.abs((cuda.curve[step]?.[0] as number) / (loss as number) - 1)).toBeLessThan(1e-4);
    expect(Math.abs((cuda.curve[step]?.[1] as number) / (norm as number) - 1)).toBeLessThan(1e-3);
  }
  expect(relativeError(weights(cuda), weights(cpu))).toBeLessThan(1e-4);
});

test.each(["fp32", "bf16", "fp16"] as const)(
  "captured steps in %s give the bits of others",
  async (precision) => {
    steer();
    const plain = await train(planOf({ precision, cudaGraph: false }), { until: 4 });
    steer({ order: "drawn", seed: 5, late: "both", lateStreams: "both" });
    expect(await train(planOf({ precision, cudaGraph: true }), { until: 4 })).toEqual(plain);
  },
);
