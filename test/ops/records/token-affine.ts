import { tokenAffine, zeros } from "../../../lib";
import type { OpRecord } from "../../op-suite";

export const record: OpRecord = {
  op: "token_affine",
  kernels: ["token_affine_forward", "token_affine_backward"],
  gradient: "linear",
  tolerance: 0,
  samples: (random) =>
    [[1 + random.int(40)], [1, 1 + random.int(40), 1, 1, 1]].map((shape) => ({
      name: `token ${shape}`,
      inputs: { token: { shape } },
      run: ({ token }) => {
        const { gamma, beta } = tokenAffine(token!);
        return [beta, gamma];
      },
    })),
  large: () => ({
    name: "large",
    inputs: { token: { shape: [1, 320, 1, 1, 1] } },
    run: ({ token }) => tokenAffine(token!).beta,
  }),
  errors: [
    {
      name: "not one vector",
      code: "SHAPE",
      call: (device) => tokenAffine(zeros([1, 3, 1, 2, 1], { device })),
    },
  ],
};
