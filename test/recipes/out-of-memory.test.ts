/** Memory that runs out at any allocation of a step: a typed error, nothing kept, and the next step as if nothing was. */
import { sampleMask } from "../../lib/masking";
import type { PlanInput } from "../../lib/plans/plan";
import { reconstruct } from "../../lib/recipes/reconstruct";
import { buildS3D, buildSGD, pretrainStep, takeItems } from "../../lib/recipes/step";
import { resetPeak, setMemoryLimit, stats, sync } from "../../lib/tensor";
import { failure } from "../data/temp";
import { digest, initialState, tinyPlan } from "../fixtures";

jest.setTimeout(600_000);

afterEach(() => {
  setMemoryLimit(0);
  expect(stats("cpu")).toMatchObject({ liveBytes: 0, liveTensors: 0, liveMasks: 0 });
});

/** `npm run test:faults` takes so many limits that every allocation fails. */
const LIMITS = Number(process.env.VOXELSPARK_FAULTS ?? 1) * 60;

/** `count` limits from just above `low` to just below `high`. */
const limits = (low: number, high: number, count: number) =>
  Array.from({ length: count }, (_, i) => Math.floor(low + ((high - low) * (i + 0.5)) / count));

function inputOf(plan: ReturnType<typeof tinyPlan>, step: number) {
  const shape = [plan.batch, 1, ...plan.patch];
  const patches = Float32Array.from({ length: shape.reduce((a, b) => a * b) }, (_, i) => Math.sin(i + step));
  const mask = sampleMask({ ...plan.mask, patch: plan.patch }, { seed: 3, step, samples: plan.batch });
  return { patches, shape, mask, device: "cpu" as const };
}

const variants: [string, PlanInput][] = [
  ["sparse", {}],
  ["dense", { sparsification: { sparse: false } }],
];

test.each(variants)("a step, %s", async (_, input) => {
  const plan = tinyPlan(input);
  using state = initialState(plan);
  using twin = initialState(plan);
  const step = async (s: typeof state, number: number) => {
    const { loss, gradientNorm } = pretrainStep(s.model, s.optimizer, inputOf(plan, number), 0.05);
    return takeItems(loss, gradientNorm);
  };
  await step(twin, 0);
  await step(state, 0);
  const { liveBytes, liveTensors } = stats("cpu");
  resetPeak("cpu");
  await step(twin, 1);
  const { peakBytes } = stats("cpu");
  const expected = await digest(twin);

  const messages = new Set<string>();
  for (const limit of limits(liveBytes, peakBytes, LIMITS)) {
    setMemoryLimit(limit);
    let error: { code?: string; message: string } | undefined;
    try {
      pretrainStep(state.model, state.optimizer, inputOf(plan, 1), 0.05);
    } catch (e) {
      error = e as Error;
    }
    setMemoryLimit(0);
    await sync();
    expect({ limit, code: error?.code }).toEqual({ limit, code: "ERR_VOXELSPARK_OUT_OF_MEMORY" });
    expect(stats("cpu")).toMatchObject({ liveBytes, liveTensors, liveMasks: 0 });
    messages.add(error!.message.replace(/\d+/g, "#"));
  }
  expect([...messages]).toEqual([expect.stringMatching(/#/)]);
  await step(state, 1);
  expect(await digest(state)).toBe(expected);
});

test("building model and optimiser", () => {
  const plan = tinyPlan();
  using state = initialState(plan);
  const full = stats("cpu").liveBytes;
  for (const limit of limits(full, 2 * full, 30)) {
    setMemoryLimit(limit);
    const build = () => {
      using model = buildS3D(plan, "cpu");
      using _ = buildSGD(plan, model);
    };
    expect(build).toThrow(expect.objectContaining({ code: "ERR_VOXELSPARK_OUT_OF_MEMORY" }));
    expect(stats("cpu").liveBytes).toBe(full);
  }
  expect(state.step).toBe(0);
});

test("reconstructing a volume, which leaves the model in training mode", async () => {
  const plan = tinyPlan();
  using state = initialState(plan);
  const { liveBytes, liveTensors } = stats("cpu");
  const shape = [20, 20, 20] as const;
  const run = async () => {
    const data = Float32Array.from({ length: 8000 }, (_, i) => Math.sin(i));
    const options = { ratio: 0.5, seed: 1, device: "cpu" } as const;
    for await (const _ of reconstruct(plan, state.model, data, shape, options));
  };
  resetPeak("cpu");
  await run();
  for (const limit of limits(liveBytes, stats("cpu").peakBytes, 20)) {
    setMemoryLimit(limit);
    expect((await failure(run)).code).toBe("ERR_VOXELSPARK_OUT_OF_MEMORY");
    expect(stats("cpu")).toMatchObject({ liveBytes, liveTensors, liveMasks: 0 });
    expect(state.model.training).toBe(true);
  }
});
