import { record } from "../autograd";
import { launch } from "../launch";
import { requireTensor, type Tensor } from "../tensor";

/**
 * leakyRelu(add(x, skip)) in one pass, the end of a residual block: norms that are pending on x or skip are applied on
 * load, and neither they nor the sum are written. Backward reads the output's sign.
 *
 * @param x (N, C, D, H, W), dense or masked
 * @param skip of the same shape and mask
 * @param slope in [0, 1]; default 0.01
 * @throws ShapeError, ArgumentRangeError
 */
export function residual(x: Tensor, skip: Tensor, slope = 0.01): Tensor {
  requireTensor(x, "residual: x");
  requireTensor(skip, "residual: skip");
  const [a, b] = [x.onLoad, skip.onLoad];
  const [y] = launch("residual_forward", [a.source, b.source, a.affine, b.affine], {
    slope,
    xSlope: a.slope,
    skipSlope: b.slope,
  }) as [Tensor];
  record([x, skip], [y], [y], ([gy]) => {
    const [g] = launch("leaky_relu_backward", [y, gy], { slope });
    return [g, g];
  });
  return y;
}
