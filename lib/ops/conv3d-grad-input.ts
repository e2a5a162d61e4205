import { launch } from "../launch";
import type { KernelAttributes } from "../schema.gen";
import type { Tensor } from "../tensor";
import { sizeOf } from "./conv3d-options";

/**
 * @internal The gradients of x, or of two maps joined to x, through a convolution. Where a norm is pending on x, the
 * kernel leaves with the gradient what the norm's backward pass sums up of it. Not on CUDA.
 */
export function conv3dGradInput(
  gy: Tensor | undefined,
  weight: Tensor | undefined,
  geometry: Pick<KernelAttributes["conv3d_grad_input"], "stride" | "padding" | "winograd">,
  x: Tensor,
  x2?: Tensor,
): Tensor[] {
  const { source, affine, slope } = x.onLoad;
  const norm = affine && !x2 && x.device !== "cuda" ? [source, affine] : [];
  const split = x2 ? (x.shape[1] as number) : 0;
  const wanted = { ...geometry, size: sizeOf(x), mask: x.mask, slope, split };
  const outputs = launch("conv3d_grad_input", [gy, weight, ...norm], wanted);
  if (norm.length > 0) outputs[0]?.leave(outputs.pop(), x);
  return outputs;
}
