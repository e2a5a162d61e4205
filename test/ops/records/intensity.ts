import { changeContrast, correctGamma, scaleIntensity, type Tensor, zeros } from "../../../lib";
import type { Random } from "../../../lib/random";
import { type OpRecord, type Sample, triple } from "../../op-suite";

function sample(random: Random, name: string, change: (x: Tensor) => void): Sample {
  const shape = [1 + random.int(3), 1, ...triple(random, 1, 12)];
  return {
    name: `${name} of ${shape}`,
    inputs: { x: { shape } },
    run: ({ x }) => {
      change(x!);
      return x!;
    },
  };
}

const one = (device: Parameters<typeof zeros>[1]) => zeros([1, 1, 2, 2, 2], device);

export const record: OpRecord = {
  op: "intensity",
  kernels: ["intensity_scale", "intensity_contrast", "intensity_gamma"],
  gradient: "none",
  tolerance: 4e-6,
  samples: (random) => {
    const [f, g] = [random.uniformIn(0.5, 2), random.uniformIn(0.3, 3)];
    return [
      sample(random, `scale ${f}`, (x) => scaleIntensity(x, f)),
      sample(random, `contrast ${f}`, (x) => changeContrast(x, f)),
      sample(random, `gamma ${g}`, (x) => correctGamma(x, g)),
      sample(random, `inverted gamma ${g}`, (x) => correctGamma(x, g, true)),
    ];
  },
  large: () => ({
    name: "large",
    inputs: { x: { shape: [2, 1, 40, 41, 43] } },
    run: ({ x }) => {
      correctGamma(x!, 0.8, true);
      changeContrast(x!, 1.2);
      scaleIntensity(x!, 0.9);
      correctGamma(x!, 1.4);
      return x!;
    },
  }),
  errors: [
    {
      name: "two channels",
      code: "SHAPE",
      call: (device) => changeContrast(zeros([1, 2, 2, 2, 2], { device }), 1),
    },
    { name: "rank 1", code: "SHAPE", call: (device) => scaleIntensity(zeros([2], { device }), 1) },
    { name: "infinite factor", code: "RANGE", call: (device) => scaleIntensity(one({ device }), Infinity) },
    { name: "NaN contrast", code: "RANGE", call: (device) => changeContrast(one({ device }), Number.NaN) },
    { name: "exponent 0", code: "RANGE", call: (device) => correctGamma(one({ device }), 0) },
    { name: "exponent 101", code: "RANGE", call: (device) => correctGamma(one({ device }), 101) },
  ],
};
