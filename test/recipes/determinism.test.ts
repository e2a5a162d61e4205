/** The same bits for any number of threads and loader workers (architecture.md, Determinism). */
import { native } from "../../lib/binding";
import type { PlanInput } from "../../lib/plans/plan";
import { pretrain } from "../../lib/recipes/pretrain";
import { setThreads } from "../../lib/tensor";
import { temporaryFolder } from "../data/temp";
import { digest, initialState, tinyCases, tinyPlan, tinySource } from "../fixtures";

const folder = temporaryFolder();
beforeAll(() => tinyCases(folder, 3));
const { threads } = native.info();
afterAll(() => setThreads(threads));

/** Weights and momenta after the plan's steps, and the losses on the way. */
async function train(input: PlanInput, threads: number, workers: number) {
  // 32³ voxels: enough work for a kernel to be split among eight threads.
  const plan = tinyPlan({ ...input, steps: 2, patch: [32, 32, 32], loader: { workers } });
  setThreads(threads);
  const source = await tinySource(plan, folder);
  using state = initialState(plan);
  const losses: number[] = [];
  try {
    for await (const step of pretrain(plan, state, source, "cpu")) losses.push(step.loss);
    return { losses, sha256: await digest(state) };
  } finally {
    await source.close();
  }
}

const variants: [string, PlanInput, [threads: number, workers: number][]][] = [
  [
    "instance norm, ratio per batch",
    {},
    [
      [1, 1],
      [2, 4],
      [3, 0],
      [8, 1],
    ],
  ],
  [
    "instance norm, ratio per sample",
    { mask: { per: "sample" } },
    [
      [3, 1],
      [8, 0],
    ],
  ],
  [
    "batch norm, ratio per batch",
    { network: { norm: "batch" } },
    [
      [2, 0],
      [3, 0],
      [8, 1],
    ],
  ],
  [
    "batch norm, ratio per sample",
    { network: { norm: "batch" }, mask: { per: "sample" } },
    [
      [2, 0],
      [8, 0],
    ],
  ],
  [
    "dense",
    { sparsification: { sparse: false } },
    [
      [3, 0],
      [8, 0],
    ],
  ],
];

test.each(variants)(
  "%s",
  async (_, input, others) => {
    const alone = await train(input, 1, 0);
    expect(alone.losses).toHaveLength(2);
    expect(alone.losses.every(Number.isFinite)).toBe(true);
    for (const [threads, workers] of others)
      expect({ threads, workers, ...(await train(input, threads, workers)) }).toEqual({
        threads,
        workers,
        ...alone,
      });
    expect((await train({ ...input, seed: 1 }, 2, 0)).sha256).not.toBe(alone.sha256);
  },
  120_000,
);
