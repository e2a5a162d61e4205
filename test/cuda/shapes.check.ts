/** Shapes that the op records leave out because the CPU does not care: block edges of every stage, many splits. */
import { avgPool3d, conv3d, convTranspose3d, densify, maskedMse, maskedNorm, type Triple } from "../../lib";
import type { Random } from "../../lib/random";
import { drawMask, type Sample } from "../op-suite";
import { forget } from "./control";
import { check, judged } from "./shape-check";

afterAll(forget);

const cube = (e: number): Triple => [e, e, e];
/** A masked volume of 2 x 2 x 2 cells of the edge, or a dense one of that size. */
const volume = (random: Random, edge: number, masked: boolean, samples = 2) => ({
  size: cube(2 * edge),
  ...(masked && { mask: drawMask(random, samples, cube(2)) as NonNullable<Sample["mask"]> }),
});

const convolutions: readonly (readonly [name: string, kernel: Triple, stride: Triple])[] = [
  ["kernel 3", cube(3), cube(1)],
  ["kernel 1", cube(1), cube(1)],
  ["kernel 3, stride 2", cube(3), cube(2)],
  ["kernel 1, stride 2", cube(1), cube(2)],
  ["kernel (1, 3, 5), stride (1, 2, 3)", [1, 3, 5], [1, 2, 3]],
];
/** The output has the same cells, so the stride divides the edge. */
const possible = (edge: number) => convolutions.filter(([, , stride]) => stride.every((s) => edge % s === 0));

describe.each([16, 8, 6, 5, 4, 2, 1])("blocks of edge %i", (edge) => {
  const channels = edge > 8 ? 4 : 20;
  test.each(possible(edge))("conv3d, %s", async (name, kernel, stride) => {
    const padding = kernel.map((k) => (k - 1) / 2) as unknown as Triple;
    await check(`conv3d of edge ${edge}, ${name}`, judged(), (random) => {
      const { size, mask } = volume(random, edge, true);
      return {
        name,
        inputs: {
          x: { shape: [2, channels, ...size], masked: true },
          weight: { shape: [7, channels, ...kernel] },
          bias: { shape: [7] },
        },
        mask: mask!,
        run: ({ x, weight, bias }) => conv3d(x!, weight!, bias, { stride, padding }),
      };
    });
  });

  test("conv_transpose3d", () =>
    check(`conv_transpose3d of edge ${edge}`, judged(), (random) => {
      const { size, mask } = volume(random, edge, true);
      return {
        name: "kernel 2",
        inputs: {
          x: { shape: [2, channels / 2, ...size], masked: true },
          weight: { shape: [channels / 2, 5, 2, 2, 2] },
          bias: { shape: [5] },
        },
        mask: mask!,
        run: ({ x, weight, bias }) => convTranspose3d(x!, weight!, bias),
      };
    }));

  test.each(["instance", "batch"] as const)("masked_norm, %s", (kind) =>
    check(`masked_norm ${kind} of edge ${edge}`, judged("smooth", 1e-5), (random) => {
      const { size, mask } = volume(random, edge, true);
      return {
        name: kind,
        inputs: {
          x: { shape: [2, channels, ...size], masked: true },
          gamma: { shape: [channels] },
          beta: { shape: [channels] },
        },
        mask: mask!,
        run: ({ x, gamma, beta }) => maskedNorm(x!, gamma, beta, { kind, eps: 1e-2 }),
      };
    }),
  );

  test("densify with a token, then a dense convolution of what pooling left", () =>
    check(`densify of edge ${edge}`, judged(), (random) => {
      const { size, mask } = volume(random, edge, true);
      return {
        name: "densify",
        inputs: { x: { shape: [2, channels, ...size], masked: true }, token: { shape: [channels] } },
        mask: mask!,
        run: ({ x, token }) => avgPool3d(densify(x!, token), [2, 2, 2]),
      };
    }));
});

test("a dense odd volume under stride 2: classes of the gradient differ in size", () =>
  check("odd volume", judged(), () => ({
    name: "5 x 7 x 9",
    inputs: { x: { shape: [2, 3, 5, 7, 9] }, weight: { shape: [4, 3, 3, 3, 3] } },
    run: ({ x, weight }) => conv3d(x!, weight!, undefined, { stride: [2, 2, 2], padding: [1, 1, 1] }),
  })));

test("a dense x whose output is masked", () =>
  check("masked output", judged(), (random) => ({
    name: "mask attribute",
    inputs: { x: { shape: [1, 4, 8, 8, 8] }, weight: { shape: [4, 4, 3, 3, 3] } },
    mask: drawMask(random, 1, [2, 2, 2]) as NonNullable<Sample["mask"]>,
    run: ({ x, weight }, mask) =>
      conv3d(x!, weight!, undefined, { padding: [1, 1, 1], ...(mask && { mask }) }),
  })));

test("a weight gradient of several splits and a bias of as many", () =>
  check("splits", judged(), () => ({
    name: "24 x 24 x 24",
    inputs: { x: { shape: [1, 2, 24, 24, 24] }, weight: { shape: [3, 2, 3, 3, 3] }, bias: { shape: [3] } },
    run: ({ x, weight, bias }) => conv3d(x!, weight!, bias, { padding: [1, 1, 1] }),
  })));

test("statistics of many splits", () =>
  check("statistics", judged("smooth", 1e-5), () => ({
    name: "40 x 20 x 20",
    inputs: { x: { shape: [2, 3, 40, 20, 20] }, gamma: { shape: [3] }, beta: { shape: [3] } },
    run: ({ x, gamma, beta }) => maskedNorm(x!, gamma, beta, { kind: "instance", eps: 1e-2 }),
  })));

test("a loss of many splits", () =>
  check("loss", judged("smooth"), (random) => ({
    name: "24 x 24 x 24",
    inputs: { prediction: { shape: [1, 1, 24, 24, 24] }, target: { shape: [1, 1, 24, 24, 24] } },
    mask: drawMask(random, 1, [3, 3, 3]) as NonNullable<Sample["mask"]>,
    run: ({ prediction, target }, mask) => maskedMse(prediction!, target!, mask),
  })));
