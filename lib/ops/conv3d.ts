import { requireOptions } from "../arguments";
import { record } from "../autograd";
import { ArgumentTypeError } from "../errors";
import { launch } from "../launch";
import { requireTensor, type Tensor } from "../tensor";
import { concat } from "./concat";
import { conv3dGradInput } from "./conv3d-grad-input";
import { type Conv3dInput, type Conv3dOptions, sizeOf, winogradNumbers } from "./conv3d-options";

export {
  type Conv3dInput,
  type Conv3dOptions,
  samePadding,
  sizeOf,
  type Winograd,
  winogradNumbers,
} from "./conv3d-options";

/**
 * 3D convolution. Under a mask only visible voxels are stored and computed; masked voxels of a sparse x read as zero.
 * @param x (N, C, D, H, W); of two maps a, b the same as of concat(a, b), which is not made (but on the CPU where
 *   Winograd convolution is allowed and a has no multiple of 16 channels)
 * @param weight (K, C, kD, kH, kW), any kernel size
 * @param bias (K)
 * @returns (N, K, D', H', W') with D' = ⌊(D + 2·padding − kD) / stride⌋ + 1, sparse if x is or a mask is given
 * @throws ShapeError when channels or sizes do not fit, or the mask's cells do not divide the output
 */
export function conv3d(x: Conv3dInput, weight: Tensor, bias?: Tensor, options: Conv3dOptions = {}): Tensor {
  const parts = Array.isArray(x) ? x : [x];
  const [first, second] = parts as readonly [Tensor, Tensor?];
  requireTensor(first, "conv3d: x");
  if (parts.length > 2) throw new ArgumentTypeError(`conv3d joins two maps, got ${parts.length}`);
  requireOptions(options, "conv3d: options");
  const { stride = [1, 1, 1], padding = [0, 0, 0], mask, winograd = "off", moments: wantsMoments } = options;
  // The kernels are right for any channels, but the CPU's Winograd convolution is worth a copy.
  if (second && second.device !== "cuda" && winograd !== "off" && (first.shape[1] as number) % 16)
    return conv3d(concat(first, second), weight, bias, options);
  const geometry = { stride, padding, winograd: winogradNumbers[winograd] };
  // Of two maps a pending norm is written.
  const read = () => (second ? { source: first, affine: undefined, slope: 1 } : first.onLoad);
  const { source, affine, slope } = read();
  const wanted = { ...geometry, slope, mask, moments: wantsMoments };
  const outputs = launch("conv3d_forward", [source, weight, bias, affine, second], wanted);
  const [y, moments] = outputs as [Tensor, Tensor?];
  y.leave(moments);
  record([...parts, weight, bias], [y], [...parts, weight], ([gy], done) => {
    const { source, affine, slope } = read();
    const wanted = { ...geometry, kernel: sizeOf(weight), bias: bias?.requiresGrad ?? false, slope };
    const inputs = [source, gy, affine, undefined, second];
    const gw = weight.requiresGrad || wanted.bias ? launch("conv3d_grad_weight", inputs, wanted) : [];
    if (!affine) for (const t of parts) done(t);
    const wants = parts.some((t) => t.requiresGrad);
    const gx = wants ? conv3dGradInput(gy, weight, geometry, first, second) : [];
    return [...parts.map((_, i) => gx[i]), ...gw];
  });
  return y;
}
