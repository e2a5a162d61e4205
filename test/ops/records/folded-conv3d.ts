import { type DeviceName, foldedConv3d, zeros } from "../../../lib";
import type { Random } from "../../../lib/random";
import { looseMask } from "../../masks";
import { drawMask, type OpRecord, type Sample, triple } from "../../op-suite";

/** Any grid, edges and kernels; axes of 3 taps have at least 2 voxels. */
function sample(random: Random, withUp: boolean): Sample {
  const samples = 1 + random.int(2);
  const grid = triple(random, 1, 3);
  const size = grid.map((g) => g * (1 + random.int(3)));
  const kernel = size.map((n) => (n > 1 && random.int(4) ? 3 : 1));
  // Several channels: the one sum that is the gradient of a token might cancel.
  const [c, k, u] = [4 + random.int(6), 1 + random.int(20), withUp ? 1 + random.int(9) : 0];
  return {
    name: `${u} + ${c} to ${k} channels of ${size}, grid ${grid}, kernel ${kernel}`,
    inputs: {
      offset: { shape: [samples, c, ...size], masked: true },
      token: { shape: random.int(2) ? [c] : [1, c, 1, 1, 1] },
      weight: { shape: [k, u + c, ...kernel] },
      bias: { shape: [k] },
      ...(withUp && { up: { shape: [samples, u, ...size] } }),
    },
    mask: drawMask(random, samples, grid) as NonNullable<Sample["mask"]>,
    run: ({ offset, token, weight, bias, up }) =>
      foldedConv3d({ offset: offset!, token: token! }, weight!, bias, { up }),
  };
}

const mask = () => looseMask({ samples: 1, grid: [2, 1, 1], visible: Uint8Array.of(1, 0) });
const skip = (device: DeviceName, size = [2, 2, 2]) => ({
  offset: zeros([1, 3, ...size], { device, mask: mask() }),
  token: zeros([3], { device }),
});

export const record: OpRecord = {
  op: "folded_conv3d",
  kernels: ["folded_conv3d_forward", "folded_conv3d_constants"],
  gradient: "linear",
  samples: (random) => [sample(random, false), sample(random, true), sample(random, true)],
  large: (random) => ({
    name: "large",
    inputs: {
      offset: { shape: [2, 17, 24, 24, 24], masked: true },
      token: { shape: [17] },
      weight: { shape: [20, 30, 3, 3, 3] },
      bias: { shape: [20] },
      up: { shape: [2, 13, 24, 24, 24] },
    },
    mask: drawMask(random, 2, [3, 3, 3]) as NonNullable<Sample["mask"]>,
    run: ({ offset, token, weight, bias, up }) =>
      foldedConv3d({ offset: offset!, token: token! }, weight!, bias, { up, winograd: "f4" }),
  }),
  errors: [
    {
      name: "the skip is dense",
      code: "SHAPE",
      call: (device) => {
        const offset = zeros([1, 3, 2, 2, 2], { device });
        return foldedConv3d({ ...skip(device), offset }, zeros([4, 3, 3, 3, 3], { device }));
      },
    },
    {
      name: "channels of the weight",
      code: "SHAPE",
      call: (device) => foldedConv3d(skip(device), zeros([4, 2, 3, 3, 3], { device })),
    },
    {
      name: "a kernel of 5",
      code: "SHAPE",
      call: (device) => foldedConv3d(skip(device), zeros([4, 3, 5, 5, 5], { device })),
    },
    {
      name: "one voxel under a kernel of 3",
      code: "SHAPE",
      call: (device) => foldedConv3d(skip(device, [2, 2, 1]), zeros([4, 3, 3, 3, 3], { device })),
    },
    {
      name: "the bias has other channels",
      code: "SHAPE",
      call: (device) =>
        foldedConv3d(skip(device), zeros([4, 3, 3, 3, 3], { device }), zeros([3], { device })),
    },
    {
      name: "up has another size",
      code: "SHAPE",
      call: (device) =>
        foldedConv3d(skip(device), zeros([4, 5, 3, 3, 3], { device }), undefined, {
          up: zeros([1, 2, 2, 2, 3], { device }),
        }),
    },
    {
      name: "the token has other channels",
      code: "SHAPE",
      call: (device) =>
        foldedConv3d({ ...skip(device), token: zeros([2], { device }) }, zeros([4, 3, 3, 3, 3], { device })),
    },
  ],
};
