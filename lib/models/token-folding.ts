import type { Tensor } from "../tensor";
import type { Triple } from "../triple";

/**
 * Smallest edge of a block, in voxels of the level, from which folding was faster (`npm run bench -- folded-conv3d`, 75 %
 * masked, forward and backward). Below it, nearly every tile of the convolution sees a visible block. Joined with an
 * upsampled map there is a second pass over the output to pay for.
 *
 * CUDA takes the same bounds for what it saves in multiply-adds of the skip's convolution, 75 % masked: the forward pass
 * visits 36, 53, 87 and 100 % of the cubes of 4³ voxels of 160³ for blocks of 32, 16, 8 and 4 voxels, the backward pass the
 * visible 25 % of the voxels. Its time is not measured.
 */
const SMALLEST_EDGE = { alone: 4, joined: 8 };

/**
 * Whether to convolve a skip that a token fills without filling it.
 * @param features sparse; a dense skip has nothing to fill
 * @param alone whether the convolution reads the skip alone, not joined with the upsampled map
 */
export function foldingPays(features: Tensor, kernel: Triple, alone: boolean): boolean {
  const { mask } = features;
  if (!mask) return false;
  const size = features.shape.slice(2);
  const supported = size.every((n, a) => kernel[a] === 1 || (kernel[a] === 3 && n > 1));
  const edges = size.map((n, a) => n / (mask.grid[a] as number));
  return supported && Math.min(...edges) >= (alone ? SMALLEST_EDGE.alone : SMALLEST_EDGE.joined);
}
