import { record } from "../autograd";
import { type DType, dtypeNames } from "../binding";
import { launch } from "../launch";
import type { Tensor } from "../tensor";

/**
 * The same values in another element type, rounded to the nearest, ties to even, where it has fewer bits. Beyond 65504
 * "float16" is infinite. To its own type it is a copy.
 *
 * @param x any shape; keeps its mask
 * @param dtype "bfloat16" and "float16" exist on CUDA only, "float64" on the reference device only
 * @throws DeviceError where the device has no such type
 */
export function cast(x: Tensor, dtype: DType): Tensor {
  const number = (t: Tensor | DType) => dtypeNames.indexOf(typeof t === "string" ? t : t.dtype);
  const [y] = launch("cast", [x], { dtype: number(dtype) }) as [Tensor];
  record([x], [y], [], ([gy]) => launch("cast", [gy], { dtype: number(x) }));
  return y;
}
