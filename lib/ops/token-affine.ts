import { record } from "../autograd";
import { launch } from "../launch";
import type { Tensor } from "../tensor";

/**
 * The affine map γ = 1, β = −token that makes `maskedNorm` give x̂ − token, which `foldedConv3d` convolves.
 * @param token (C) or (1, C, 1, 1, 1)
 * @returns γ and β, (C) each; gradients of β go to the token
 * @throws ShapeError when the token's shape is another
 */
export function tokenAffine(token: Tensor): { gamma: Tensor; beta: Tensor } {
  const [gamma, beta] = launch("token_affine_forward", [token], {}) as [Tensor, Tensor];
  record([token], [beta], [token], ([gbeta]) => launch("token_affine_backward", [gbeta, token], {}));
  return { gamma, beta };
}
