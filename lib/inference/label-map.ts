import { hasRegions, type LabelScheme, outputChannels } from "../labels";

/**
 * The label map that logits stand for: the class with the largest logit, the lowest of equal ones; of regions, those
 * with a sigmoid above 0.5 are painted in their order, each with its label of regionsClassOrder.
 * @param logits (N, K, …), K channels of the scheme
 * @param samples N
 * @returns (N, 1, …)
 */
export function labelMap(
  logits: Float32Array | Float64Array,
  samples: number,
  scheme: LabelScheme,
): Float32Array {
  const channels = outputChannels(scheme);
  const voxels = logits.length / channels / samples;
  const out = new Float32Array(samples * voxels);
  const best = new Float32Array(voxels);
  const painted = hasRegions(scheme);
  for (let n = 0; n < samples; n++) {
    best.fill(painted ? 0 : Number.NEGATIVE_INFINITY);
    for (let k = 0; k < channels; k++) {
      const value = painted ? scheme.regionsClassOrder![k]! : k;
      const [from, to] = [(n * channels + k) * voxels, n * voxels];
      for (let v = 0; v < voxels; v++) {
        if (!(logits[from + v]! > best[v]!)) continue;
        out[to + v] = value;
        if (!painted) best[v] = logits[from + v]!;
      }
    }
  }
  return out;
}
