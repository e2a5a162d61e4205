import { record } from "../autograd";
import { launch } from "../launch";
import type { Tensor } from "../tensor";

/**
 * Leaky ReLU: x where x > 0, slope · x elsewhere. Masked voxels stay masked.
 * @param x any shape
 * @param slope in [0, 1], 0 is the ReLU; default 0.01
 */
export function leakyRelu(x: Tensor, slope = 0.01): Tensor {
  const [y] = launch("leaky_relu_forward", [x], { slope }) as [Tensor];
  record([x], [y], [y], ([gy]) => launch("leaky_relu_backward", [y, gy], { slope }));
  return y;
}
