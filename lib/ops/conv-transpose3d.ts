import { record } from "../autograd";
import { launch } from "../launch";
import { requireTensor, type Tensor } from "../tensor";

/**
 * Transposed 3D convolution whose stride is its kernel: every input voxel makes one block of output voxels.
 * @param x (N, C, D, H, W), dense or sparse
 * @param weight (C, K, kD, kH, kW)
 * @param bias (K)
 * @returns (N, K, D·kD, H·kH, W·kW) under the mask of x
 * @throws ShapeError when the channels do not fit
 */
export function convTranspose3d(x: Tensor, weight: Tensor, bias?: Tensor): Tensor {
  requireTensor(x, "convTranspose3d: x");
  const { source, affine, slope } = x.onLoad;
  const [y] = launch("conv_transpose3d_forward", [source, weight, bias, affine], { slope }) as [Tensor];
  record([x, weight, bias], [y], [x, weight], ([gy]) => {
    const gx = x.requiresGrad ? launch("conv_transpose3d_grad_input", [gy, weight], {})[0] : undefined;
    if (!weight.requiresGrad && !bias?.requiresGrad) return [gx];
    const { source, affine, slope } = x.onLoad;
    const wanted = { bias: bias?.requiresGrad ?? false, slope };
    return [gx, ...launch("conv_transpose3d_grad_weight", [source, gy, affine], wanted)];
  });
  return y;
}
