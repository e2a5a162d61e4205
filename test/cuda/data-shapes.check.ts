/** As shapes.check.ts, for token folding and for what prepares and compares data: long lines, many splits, odd maps. */
import {
  changeContrast,
  correctGamma,
  foldedConv3d,
  gaussianBlur,
  gaussianNoise,
  type Tensor,
  type Triple,
} from "../../lib";
import { launch } from "../../lib/launch";
import { regionAttributes } from "../../lib/ops/label-counts";
import { resampleAffine, resize } from "../../lib/ops/resample";
import { drawMask, type Sample } from "../op-suite";
import { forget } from "./control";
import { check, judged } from "./shape-check";

afterAll(forget);

describe.each([8, 6, 5, 4, 2, 1])("folded_conv3d, blocks of edge %i", (edge) => {
  test.each([
    ["joined, as many channels as fill vectors", 8, 12, 68, 3],
    ["joined", 3, 5, 7, 3],
    ["alone", 0, 20, 9, 3],
    ["alone, kernel 1", 0, 3, 4, 1],
  ] as const)("%s", (name, up, channels, outputs, kernel) =>
    check(`folded_conv3d of edge ${edge}, ${name}`, judged("linear", 4e-6), (random) => {
      const grid: Triple = [2, 3, 2];
      const size = grid.map((g) => g * edge) as [number, number, number];
      return {
        name,
        inputs: {
          offset: { shape: [2, channels, ...size], masked: true },
          token: { shape: [channels] },
          weight: { shape: [outputs, up + channels, kernel, kernel, kernel] },
          bias: { shape: [outputs] },
          ...(up && { up: { shape: [2, up, ...size] } }),
        },
        mask: drawMask(random, 2, grid) as NonNullable<Sample["mask"]>,
        run: ({ offset, token, weight, bias, up }) =>
          foldedConv3d({ offset: offset!, token: token! }, weight!, bias, { up }),
      };
    }),
  );
});

/** [rotation about z and y by some angle, scale] around the middle of both volumes, as the augmentation makes them. */
function turned(angle: number, scale: number, from: Triple, to: Triple): number[] {
  const [c, s] = [Math.cos(angle) * scale, Math.sin(angle) * scale];
  const rows = [
    [c, s * 0.6, s * 0.8],
    [-s * 0.6, c * 0.8, s * 0.3],
    [-s * 0.8, -s * 0.3, c * 0.9],
  ];
  return rows.flatMap((row, a) => {
    const middle = row.reduce((sum, r, b) => sum + (r * (to[b]! - 1)) / 2, 0);
    return [...row, (from[a]! - 1) / 2 - middle];
  });
}

describe.each([0, 1, 3] as const)("resampling of order %i", (order) => {
  test.each<[string, Triple, Triple]>([
    ["long lines, one axis much finer", [70, 5, 3], [23, 40, 3]],
    ["long lines, shrunk to a few voxels", [6, 90, 2], [9, 4, 5]],
    ["axes of one voxel", [1, 40, 1], [7, 37, 1]],
  ])("resize, %s", (name, from, to) =>
    check(`resize of order ${order}, ${name}`, judged("linear", 1e-5), () => ({
      name,
      inputs: { x: { shape: [1, 2, ...from] } },
      run: ({ x }) => resize(x!, to, { order, clip: false }),
    })),
  );

  test.each<[string, number, Triple, Triple]>([
    ["turned", 0.5, [9, 13, 11], [10, 9, 12]],
    ["turned far and shrunk to half", 2.2, [9, 13, 11], [6, 7, 5]],
    ["larger than the volume", -0.7, [5, 4, 6], [9, 11, 8]],
  ])("affine, %s", (name, angle, from, to) =>
    check(`affine of order ${order}, ${name}`, judged("linear", 1e-5), (random) => {
      const matrices = [0, 1].flatMap((i) => turned(angle + 0.1 * i, random.uniformIn(0.7, 1.9), from, to));
      return {
        name,
        inputs: { x: { shape: [2, order === 1 ? 4 : 1, ...from] } },
        run: ({ x }) => resampleAffine(x!, to, matrices, { order, outside: 2 }),
      };
    }),
  );

  // The second output axis reads where the first one does: the gradient's candidates are all outputs.
  test("affine, a map without inverse", () =>
    check(`affine of order ${order} without inverse`, judged("linear", 1e-5), () => ({
      name: "without inverse",
      inputs: { x: { shape: [1, 1, 6, 6, 6] } },
      run: ({ x }) =>
        resampleAffine(x!, [5, 4, 7], [0.71, 0.4, 0, 0.31, 0.71, 0.4, 0, 0.21, 0, 0, 0.63, 0.4], { order }),
    })));
});

test("ranges of slices, in several splits", () =>
  check("clipped", judged("none", 1e-5), () => ({
    name: "clipped along y",
    inputs: { x: { shape: [2, 2, 40, 5, 120] } },
    run: ({ x }) => resize(x!, [43, 7, 110], { order: [3, 0, 3], clipAxis: 1 }),
  })));

const changed = (change: (x: Tensor) => void) => ({
  inputs: { x: { shape: [2, 1, 33, 21, 19] } },
  run: ({ x }: Record<string, Tensor>) => {
    change(x!);
    return x!;
  },
});

test.each<[string, (x: Tensor) => void]>([
  ["contrast", (x) => changeContrast(x, 1.7)],
  ["gamma", (x) => correctGamma(x, 0.6)],
  ["inverted gamma", (x) => correctGamma(x, 2.1, true)],
  ["noise", (x) => gaussianNoise(x, { sigma: 0.7, seed: 2 ** 52 + 12345, step: 2 ** 32 - 1, index: 7 })],
])("%s of many splits", (name, change) =>
  check(name, judged("none", 5e-6), () => ({ name, ...changed(change) })),
);

test("a blur that reaches over the whole volume, several times", () =>
  check("blur", judged("none", 2e-6), () => ({
    name: "blur",
    inputs: { x: { shape: [2, 1, 5, 30, 7] } },
    run: ({ x }) => gaussianBlur(x!, [6, 9.5, 0]),
  })));

test("labels of many splits and regions, surfaces too", () =>
  check("labels", judged("none", 2e-6), () => {
    const regions = [1, [1, 2], 0, [0, 65535], 7];
    const shape = [1, 1, 24, 25, 26];
    return {
      name: "labels",
      inputs: { prediction: { shape, draw: "integer" }, reference: { shape, draw: "integer" } },
      run: ({ prediction, reference }) => {
        const attributes = regionAttributes(regions, 2);
        const volumes = [prediction, reference];
        const [areas] = launch("surface_dice", volumes, {
          ...attributes,
          spacing: [1.3, 0.4, 0.4],
          tolerance: 1.1,
        });
        return [areas as Tensor, ...launch("label_counts", volumes, attributes)];
      },
    };
  }));
