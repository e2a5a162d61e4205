import { record } from "../autograd";
import { launch } from "../launch";
import type { Tensor } from "../tensor";

/**
 * factor · x, of any shape and mask; `add(a, scale(b, 0.5))` is a loss whose second term weighs a half.
 * @param factor a finite number
 * @throws ArgumentRangeError
 */
export function scale(x: Tensor, factor: number): Tensor {
  const [y] = launch("scale", [x], { factor }) as [Tensor];
  record([x], [y], [], ([gy]) => launch("scale", [gy], { factor }));
  return y;
}
