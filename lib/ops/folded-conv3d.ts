import { requireOptions } from "../arguments";
import { record } from "../autograd";
import { launch } from "../launch";
import { requireTensor, type Tensor } from "../tensor";
import { samePadding, sizeOf, type Winograd, winogradNumbers } from "./conv3d";
import { conv3dGradInput } from "./conv3d-grad-input";

/** A masked feature map that a token fills, not written out: features − token, sparse, and the token. */
export interface FoldedSkip {
  readonly offset: Tensor;
  readonly token: Tensor;
}

/**
 * conv3d(concat(up, filled)), where `filled` holds features at visible voxels and the token at masked ones: the same
 * but for rounding, without making `filled` or the concatenation. Only what lies near visible blocks is computed; the
 * token's part elsewhere is one constant, another at each border. "Same" padding, stride 1.
 *
 * @param skip offset (N, C, D, H, W) under a mask, which must live until backward has run; token (C) or (1, C, 1, 1, 1)
 * @param weight (K, C' + C, kD, kH, kW), kernels of 1 or 3 voxels, those of 3 over axes of at least 2
 * @param bias (K)
 * @param options.up (N, C', D, H, W), dense; without it C' = 0
 * @returns (N, K, D, H, W), dense @throws ShapeError
 */
export function foldedConv3d(
  skip: FoldedSkip,
  weight: Tensor,
  bias?: Tensor,
  options: { up?: Tensor | undefined; winograd?: Winograd } = {},
): Tensor {
  const { offset, token } = requireOptions(skip, "foldedConv3d: skip");
  const { up, winograd: wished = "off" } = requireOptions(options, "foldedConv3d: options");
  requireTensor(offset, "foldedConv3d: offset");
  if (up !== undefined) requireTensor(up, "foldedConv3d: up");
  const winograd = winogradNumbers[wished];
  const channels = [up, offset].flatMap((t) => (t ? [t.shape[1] as number] : []));
  const parts = up ? launch("concat_backward", [weight], { channels }) : [weight];
  const [own, upWeight] = [parts.at(-1) as Tensor, up && parts[0]];
  const { source, affine, slope } = offset.onLoad;
  const inputs = [source, own, token, bias, up, upWeight, affine];
  const [y] = launch("folded_conv3d_forward", inputs, { winograd, slope }) as [Tensor];
  const saved = [offset, token, ...parts, ...(up ? [up] : [])];
  record([offset, token, weight, bias, up], [y], saved, ([gy], done) => {
    const kernel = sizeOf(weight);
    const common = { padding: samePadding(kernel), winograd };
    const gparts = up ? launch("conv3d_grad_weight", [up, gy], { ...common, kernel }) : [];
    if (up) done(up);
    const goffset = offset.requiresGrad ? conv3dGradInput(gy, own, common, offset)[0] : undefined;
    const gup = up?.requiresGrad ? conv3dGradInput(gy, upWeight, common, up)[0] : undefined;
    // Visible voxels only: the roles of input and output are exchanged, which reverses the taps.
    const { source, affine, slope } = offset.onLoad;
    const wanted = { ...common, kernel, bias: false, slope };
    const [swapped] = launch("conv3d_grad_weight", [gy, source, undefined, affine], wanted);
    const [gown, gtoken, gbias] = launch("folded_conv3d_constants", [gy, own, token, swapped], {});
    const gweight = up ? launch("concat_forward", [...gparts, gown], {})[0] : gown;
    return [goffset, gtoken, gweight, gbias, gup];
  });
  if (up) for (const part of parts) part.dispose(); // from here on the tape's, if anybody's
  return y;
}
