/** Tensors and masks that benchmarks share; a pure function of their shape. */
import { BlockMask, type Tensor, tensor } from "../lib";
import { sampleMask } from "../lib/masking";
import { rng } from "../lib/random";

/** Normal deviates, of which large tensors hold copies: drawing 10⁸ of them takes longer than what is measured. */
export function normal(
  shape: readonly number[],
  options: { mask?: BlockMask; requiresGrad?: boolean } = {},
): Tensor {
  const values = new Float32Array(shape.reduce((a, b) => a * b, 1));
  const drawn = Math.min(values.length, 999983); // prime, so that no two rows are alike
  rng(0, 0, "bench").fillNormal(values.subarray(0, drawn));
  for (let done = drawn; done < values.length; done *= 2)
    values.copyWithin(done, 0, Math.min(done, values.length - done));
  return tensor(values, shape, options);
}

/** A mask with `ratio` of the blocks masked. */
export function blockMask(
  patch: [number, number, number],
  block: number,
  ratio: number,
  samples = 1,
): BlockMask {
  return new BlockMask(sampleMask({ patch, block, ratio, per: "batch" }, { seed: 0, step: 0, samples }));
}
