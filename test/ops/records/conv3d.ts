import { conv3d, type DeviceName, type Triple, zeros } from "../../../lib";
import { launch } from "../../../lib/launch";
import type { Random } from "../../../lib/random";
import { looseMask } from "../../masks";
import { drawMask, type InputSpec, type OpRecord, type Sample, triple } from "../../op-suite";

interface Variant {
  channels: [number, number];
  kernel: Triple;
  stride: Triple;
  masked?: boolean;
  bias?: boolean;
  draw?: NonNullable<InputSpec["draw"]>;
}

/** "Same" padding, as the networks use it. */
const geometryOf = ({ kernel, stride }: Pick<Variant, "kernel" | "stride">) => ({
  stride,
  padding: kernel.map((e) => (e - 1) / 2) as unknown as Triple,
});

function sample(
  random: Random,
  { channels, kernel, stride, masked = false, bias = true, draw = "normal" }: Variant,
): Sample {
  const [c, k] = channels;
  const samples = 1 + random.int(2);
  const grid = triple(random, 1, 3);
  const size = grid.map((g, a) => g * (stride[a] as number) * (1 + random.int(2)));
  return {
    name: `${c} to ${k}, kernel ${kernel}, stride ${stride}, ${size}${masked ? ", masked" : ""}`,
    inputs: {
      x: { shape: [samples, c, ...size], masked, draw },
      weight: { shape: [k, c, ...kernel], draw },
      ...(bias && { bias: { shape: [k], draw } }),
    },
    ...(masked && { mask: drawMask(random, samples, grid) as NonNullable<Sample["mask"]> }),
    run: ({ x, weight, bias }) => conv3d(x!, weight!, bias, geometryOf({ kernel, stride })),
  };
}

/** The same of two maps whose channels follow each other. */
function joined(random: Random, second: number, variant: Variant): Sample {
  const single = sample(random, variant);
  const { shape, ...how } = single.inputs.x as InputSpec;
  const [n, c, ...size] = shape as [number, number, ...number[]];
  const [k, , ...kernel] = single.inputs.weight!.shape as [number, number, ...number[]];
  return {
    ...single,
    name: `${single.name}, ${second} channels joined`,
    inputs: {
      ...single.inputs,
      x2: { ...how, shape: [n, second, ...size] },
      weight: { ...single.inputs.weight, shape: [k, c + second, ...kernel] },
    },
    run: ({ x, x2, weight, bias }) => conv3d([x!, x2!], weight!, bias, geometryOf(variant)),
  };
}

const k3: Triple = [3, 3, 3];
const [s1, s2]: Triple[] = [
  [1, 1, 1],
  [2, 2, 2],
] as const;
const x = (device: DeviceName, c = 2) => zeros([1, c, 4, 4, 4], { device });
const weight = (device: DeviceName) => zeros([3, 2, 3, 3, 3], { device });

export const record: OpRecord = {
  op: "conv3d",
  kernels: ["conv3d_forward", "conv3d_grad_input", "conv3d_grad_weight"],
  gradient: "linear",
  tolerance: 2e-6,
  samples: (random) => [
    // Several outputs where there is a bias: the one sum that is its gradient might cancel.
    sample(random, { channels: [1 + random.int(5), 4 + random.int(3)], kernel: k3, stride: s1! }),
    sample(random, {
      channels: [1 + random.int(40), 4 + random.int(37)],
      kernel: k3,
      stride: s1!,
      masked: true,
    }),
    sample(random, { channels: [32, 32], kernel: k3, stride: s1!, bias: false }),
    sample(random, { channels: [3, 17], kernel: k3, stride: s2!, masked: true }),
    sample(random, { channels: [2 + random.int(19), 3], kernel: [1, 1, 1], stride: s1! }),
    sample(random, { channels: [2, 3], kernel: [1, 3, 3], stride: [1, 2, 2], masked: true }),
    joined(random, 1 + random.int(2), { channels: [1 + random.int(2), 9], kernel: k3, stride: s1! }),
    joined(random, 1 + random.int(20), {
      channels: [1 + random.int(20), 4 + random.int(37)],
      kernel: k3,
      stride: s2!,
      masked: true,
    }),
  ],
  large: (random) => ({
    ...sample(random, { channels: [8, 8], kernel: k3, stride: s1! }),
    name: "large",
    inputs: {
      x: { shape: [1, 33, 20, 20, 20] },
      weight: { shape: [34, 33, 3, 3, 3] },
      bias: { shape: [34] },
    },
  }),
  maskedIsDense: (random) =>
    sample(random, {
      channels: [1 + random.int(4), 1 + random.int(4)],
      kernel: random.int(2) ? k3 : [1, 1, 1],
      stride: random.int(2) ? s1! : s2!,
      masked: true,
      draw: "integer",
    }),
  errors: [
    { name: "channels differ", code: "SHAPE", call: (d) => conv3d(x(d, 3), weight(d)) },
    {
      name: "kernel larger than the padded volume",
      code: "SHAPE",
      call: (d) => conv3d(zeros([1, 2, 2, 2, 2], { device: d }), weight(d)),
    },
    {
      name: "bias of other channels",
      code: "SHAPE",
      call: (d) => conv3d(x(d), weight(d), zeros([2], { device: d })),
    },
    {
      name: "joined maps of two sizes",
      code: "SHAPE",
      call: (d) => conv3d([x(d, 1), zeros([1, 1, 4, 4, 5], { device: d })], weight(d)),
    },
    {
      name: "channels of joined maps",
      code: "SHAPE",
      call: (d) => conv3d([x(d, 2), x(d, 1)], weight(d)),
    },
    {
      name: "the gradient of a pending map without the norm",
      code: "TYPE",
      call: (d) =>
        launch("conv3d_grad_input", [zeros([1, 3, 2, 2, 2], { device: d }), weight(d), x(d)], {
          size: [4, 4, 4],
        }),
    },
    {
      name: "stride 0",
      code: "RANGE",
      call: (d) => conv3d(x(d), weight(d), undefined, { stride: [0, 1, 1] }),
    },
    {
      name: "mask does not divide the output",
      code: "SHAPE",
      call: (d) => {
        const mask = looseMask({ samples: 1, grid: [3, 1, 1], visible: Uint8Array.of(1, 0, 0) });
        return conv3d(x(d), weight(d), undefined, { padding: [1, 1, 1], mask });
      },
    },
  ],
};
