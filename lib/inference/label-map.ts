import { classNames, hasRegions, type LabelScheme } from "../labels";

/**
 * The label map that logits stand for: the class with the largest logit, the lowest of equal ones; of regions, those
 * with a sigmoid above 0.5 are painted in the order of their names, each with its label of regionsClassOrder.
 * @param logits (N, K, …), K channels of the scheme
 * @param samples N
 * @returns (N, 1, …)
 */
export function labelMap(
  logits: Float32Array | Float64Array,
  samples: number,
  scheme: LabelScheme,
): Float32Array {
  const names = classNames(scheme);
  const voxels = logits.length / names.length / samples;
  const out = new Float32Array(samples * voxels);
  const best = new Float32Array(voxels);
  const painted = hasRegions(scheme);
  const label = (k: number) =>
    painted ? scheme.regionsClassOrder![k]! : (scheme.labels[names[k]!] as number);
  for (let n = 0; n < samples; n++) {
    best.fill(painted ? 0 : Number.NEGATIVE_INFINITY);
    for (let k = 0; k < names.length; k++) {
      const [value, from, to] = [label(k), (n * names.length + k) * voxels, n * voxels];
      for (let v = 0; v < voxels; v++) {
        if (!(logits[from + v]! > best[v]!)) continue;
        out[to + v] = value;
        if (!painted) best[v] = logits[from + v]!;
      }
    }
  }
  return out;
}
