import { record } from "../autograd";
import type { DType } from "../binding";
import { launch } from "../launch";
import { dtypeIndex, type Tensor } from "../tensor";

/**
 * The same values in another element type, rounded to the nearest, ties to even, where it has fewer bits. Beyond 65504
 * "float16" is infinite. To its own type it is a copy.
 *
 * @param x any shape; keeps its mask
 * @param dtype "bfloat16" and "float16" exist on CUDA only, "float64" on the reference device only
 * @throws DeviceError where the device has no such type
 */
export function cast(x: Tensor, dtype: DType): Tensor {
  const [y] = launch("cast", [x], { dtype: dtypeIndex(dtype) }) as [Tensor];
  record([x], [y], [], ([gy]) => launch("cast", [gy], { dtype: dtypeIndex(x.dtype) }));
  return y;
}
