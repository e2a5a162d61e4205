/** What goes wrong with CUDA graphs: typed errors with reason and cure, nothing changed, and the device goes on. */
import { BlockMask, full, leakyRelu, stats, sync, type Tensor, tensor, zeros } from "../../lib";
import { gradNorm } from "../../lib/ops/grad-norm";
import { sgd } from "../../lib/ops/sgd";
import { StepGraph } from "../../lib/step-graph";
import { freeAfterEach } from "../lifetime";
import { forget, steer } from "./control";

freeAfterEach();
afterAll(forget);
beforeEach(() => steer());

const on = { device: "cuda" } as const;
const cure = /train with "cudaGraph": false in the plan, or on device 'cpu'/;

/** A step that changes `w` in place. */
const stepOf = (w: Tensor, g: Tensor) => () => {
  const norm = gradNorm([g]);
  sgd([w], [g], [], norm, { lr: 0.5, momentum: 0, weightDecay: 0, clip: 0, nesterov: false });
  return { norm };
};

test.each([
  [
    "begin",
    "ERR_VOXELSPARK_DEVICE",
    /CUDA failed in beginning to capture .+cudaErrorStreamCaptureUnsupported/,
  ],
  ["capture", "ERR_VOXELSPARK_DEVICE", /CUDA failed in capturing .+cudaErrorStreamCaptureInvalidated/],
  ["memory", "ERR_VOXELSPARK_OUT_OF_MEMORY", /out of memory in instantiating .+cudaErrorMemoryAllocation/],
] as const)("a capture that fails (%s)", async (graph, code, says) => {
  const [w, g] = [tensor([1, 2], [2], on), tensor([2, 2], [2], on)];
  await sync();
  steer({ graph });
  using step = new StepGraph(stepOf(w, g));
  const { norm } = step.launch();
  const error = await norm.item().catch((e) => e);
  expect(error).toMatchObject({ code });
  expect(error.message).toMatch(says);
  expect(error.message).toMatch(cure);
  steer();
  expect(await w.data()).toEqual(Float32Array.of(1, 2));
  const [cpu, again] = [leakyRelu(tensor([-2], [1]), 0.5), leakyRelu(tensor([-2], [1], on), 0.5)];
  expect([await cpu.item(), await again.item()]).toEqual([-1, -1]);
  using good = new StepGraph(stepOf(w, g));
  good.launch();
  good.launch();
  expect(await w.data()).toEqual(Float32Array.of(-1, 0));
});

test("memory runs out while a step is recorded", async () => {
  const x = zeros([8], on);
  await sync();
  const before = stats("cuda").liveBytes;
  steer({ memory: 2 ** 21 });
  const big = () => ({ y: full([1, 1, 128, 128, 128], 1, on), norm: gradNorm([x]) });
  expect(() => new StepGraph(big)).toThrow(/8388608 bytes requested.+use a smaller patch or batch/);
  steer();
  expect(stats("cuda").liveBytes).toBe(before);
  expect(await x.data()).toEqual(new Float32Array(8));
});

test.each<[string, (x: Tensor) => unknown]>([
  ["a tensor of values", () => tensor([1], [1], on)],
  ["a change of values", (x) => x.set(new Float32Array(8))],
  ["a read", (x) => void x.data()],
  ["a wait", () => void sync()],
  ["a new mask", () => new BlockMask({ samples: 1, grid: [1, 1, 2], visible: Uint8Array.of(0, 1) })],
  ["a kernel of another device", () => leakyRelu(zeros([1]), 0)],
  ["a step in a step", (x) => new StepGraph(() => ({ norm: gradNorm([x]) }))],
])("a step that is recorded refuses %s", async (_, what) => {
  const x = zeros([8], on);
  const step = () => {
    what(x);
    return { norm: gradNorm([x]) };
  };
  expect(() => new StepGraph(step)).toThrow(/cannot be part of a step that is captured in a CUDA graph/);
  using good = new StepGraph(() => ({ norm: gradNorm([x]) }));
  expect(await good.launch().norm.item()).toBe(0);
});

test("what a graph uses lives as long as it, whoever disposes it", async () => {
  const [w, g] = [tensor([1, 2], [2], on), tensor([3, 4], [2], on)];
  const step = new StepGraph(stepOf(w, g));
  g.dispose();
  const taken = full([2], 100, on);
  expect(await step.launch().norm.item()).toBe(5);
  step.dispose();
  taken.dispose();
  expect(() => g.set(new Float32Array(2))).toThrow(/after dispose/);
});

test("a mask keeps its numbers when it moves", () => {
  const mask = new BlockMask({ samples: 2, grid: [1, 1, 2], visible: Uint8Array.of(0, 1, 1, 0) });
  mask.moveTo(Uint8Array.of(1, 0, 1, 0));
  expect([...mask.visible]).toEqual([1, 0, 1, 0]);
  expect(() => mask.moveTo(Uint8Array.of(1, 1, 0, 0))).toThrow(/keeps its number of visible cells/);
  expect(() => mask.moveTo(Uint8Array.of(1, 0))).toThrow(/2 entries, the grid has 4 cells/);
});
