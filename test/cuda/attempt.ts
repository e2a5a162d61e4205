/**
 * Uses the emulated device in a process of its own and tells what came of it, as JSON:
 *   node -r tsx/cjs test/cuda/attempt.ts use | memory | tables | failure | graph
 */
import { BlockMask, densify, full, leakyRelu, resolveDevice, sync, tensor, zeros } from "../../lib";
import { StepGraph } from "../../lib/step-graph";
import { forget, steer } from "./control";

const tell = (error: unknown) => {
  const { name, code, message } = error as Error & { code?: string };
  return { name, code, message };
};

/** What an asynchronous call throws, or the numbers that it gives; "nothing" when it gives something else. */
async function outcome(call: () => unknown) {
  try {
    const result = await call();
    return Array.isArray(result) ? result : "nothing";
  } catch (error) {
    return tell(error);
  }
}

const attempts: Record<string, () => Promise<unknown>> = {
  use: async () => ({
    tensor: await outcome(() => tensor([1], [1], { device: "cuda" })),
    choice: await outcome(() => resolveDevice("cuda")),
    auto: resolveDevice("auto").device,
  }),
  // More than the device has, then something that fits.
  memory: async () => {
    steer({ memory: 2 ** 20 });
    const big = await outcome(() => zeros([1, 1, 128, 128, 128], { device: "cuda" }));
    using small = tensor([-2, 4], [2], { device: "cuda" });
    return { big, small: Array.from(await small.data()) };
  },
  // Larger tables than a mask had before, and no memory for them.
  tables: async () => {
    const masked = (cells: number) =>
      outcome(async () => {
        const visible = new Uint8Array(cells).fill(1, 0, 1);
        using mask = new BlockMask({ samples: 1, grid: [1, 1, cells], visible });
        using x = full([1, 1, 1, 1, cells], -2, { device: "cuda", mask });
        using y = densify(x);
        return Array.from((await y.data()).subarray(0, 2));
      });
    const before = await masked(4);
    steer({ memory: 1 });
    const at = await masked(1 << 12);
    steer();
    return { before, at, after: await masked(1 << 12) };
  },
  // The second kernel fails; what follows on the device fails too.
  failure: async () => {
    steer({ launches: 1 });
    using x = tensor([-2, 4], [2], { device: "cuda" });
    using a = leakyRelu(x, 0.5);
    const before = Array.from(await a.data());
    using b = leakyRelu(x, 0.5);
    const at = await outcome(() => b.data());
    const after = await outcome(async () => {
      leakyRelu(x, 0.5).dispose();
      await sync();
    });
    return { before, at, after };
  },
  // The same in the second launch of a graph.
  graph: async () => {
    using x = tensor([-2, 4], [2], { device: "cuda" });
    using step = new StepGraph(() => ({ y: leakyRelu(x, 0.5) }));
    using first = step.launch().y;
    const before = Array.from(await first.data());
    steer({ launches: 0 });
    using second = step.launch().y;
    const at = await outcome(() => second.data());
    const after = await outcome(() => new StepGraph(() => ({ y: leakyRelu(x, 0.5) })).launch().y.data());
    return { before, at, after };
  },
};

async function main(): Promise<void> {
  const result = await attempts[process.argv[2] as string]?.();
  using x = tensor([-2, 4], [2]);
  using y = leakyRelu(x, 0.5);
  console.log(JSON.stringify({ result, cpu: Array.from(await y.data()) }));
  forget();
}

void main();
