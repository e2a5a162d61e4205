import type { Triple } from "../nn/conv";
import type { Tensor } from "../tensor";

/**
 * Smallest edge of a block, in voxels of the level, from which folding was faster (`npm run bench -- folded-conv3d`, 75 %
 * masked, forward and backward). Below it, nearly every tile of the convolution sees a visible block. Joined with an
 * upsampled map there is a second pass over the output to pay for.
 */
const SMALLEST_EDGE = { alone: 4, joined: 8 };

/**
 * Whether to convolve a skip that a token fills without filling it. On CUDA it is left to the plain path.
 * @param features sparse; a dense skip has nothing to fill
 * @param alone whether the convolution reads the skip alone, not joined with the upsampled map
 */
export function foldingPays(features: Tensor, kernel: Triple, alone: boolean): boolean {
  const { mask, device } = features;
  if (!mask || device === "cuda") return false;
  const size = features.shape.slice(2);
  const supported = size.every((n, a) => kernel[a] === 1 || (kernel[a] === 3 && n > 1));
  const edges = size.map((n, a) => n / (mask.grid[a] as number));
  return supported && Math.min(...edges) >= (alone ? SMALLEST_EDGE.alone : SMALLEST_EDGE.joined);
}
