/** Tensors and masks that benchmarks share; a pure function of their shape. */
import { BlockMask, type Tensor, tensor } from "../lib";
import { sampleMask } from "../lib/masking";
import { rng } from "../lib/random";

export const normal = (
  shape: readonly number[],
  options: { mask?: BlockMask; requiresGrad?: boolean } = {},
): Tensor =>
  tensor(rng(0, 0, "bench").fillNormal(new Float32Array(shape.reduce((a, b) => a * b, 1))), shape, options);

/** A mask with `ratio` of the blocks masked. */
export function blockMask(
  patch: [number, number, number],
  block: number,
  ratio: number,
  samples = 1,
): BlockMask {
  return new BlockMask(sampleMask({ patch, block, ratio, per: "batch" }, { seed: 0, step: 0, samples }));
}
