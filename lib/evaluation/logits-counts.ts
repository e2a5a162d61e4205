/** How the logits of a batch agree with its labels, in voxels (method.md §7.6). */
import { channelsOf, foregroundOf, hasRegions, ignoreLabel, type LabelScheme } from "../labels";
import { type LabelCounts, labelCounts } from "../ops/label-counts";
import { type Tensor, tensor } from "../tensor";

type Logits = Float32Array | Float64Array;

/** (N, K, …) → (N, 1, …): the class with the largest logit, the lowest of equal ones. */
export function classMap(logits: Logits, samples: number, classes: number): Float32Array {
  const voxels = logits.length / classes / samples;
  const out = new Float32Array(samples * voxels);
  const best = new Float32Array(voxels);
  for (let n = 0; n < samples; n++) {
    best.fill(Number.NEGATIVE_INFINITY);
    for (let k = 0; k < classes; k++) {
      const [from, to] = [(n * classes + k) * voxels, n * voxels];
      for (let v = 0; v < voxels; v++) {
        if (!(logits[from + v]! > best[v]!)) continue;
        out[to + v] = k;
        best[v] = logits[from + v]!;
      }
    }
  }
  return out;
}

/** (N, K, …) → (N, 1, …): `inside` where the sigmoid of channel k of K exceeds 0.5, `outside` elsewhere. */
export function regionMap(
  logits: Logits,
  samples: number,
  [k, channels]: readonly [number, number],
  [inside, outside]: readonly [number, number],
): Float32Array {
  const voxels = logits.length / channels / samples;
  const out = new Float32Array(samples * voxels).fill(outside);
  for (let n = 0; n < samples; n++) {
    const [from, to] = [(n * channels + k) * voxels, n * voxels];
    for (let v = 0; v < voxels; v++) if (logits[from + v]! > 0) out[to + v] = inside;
  }
  return out;
}

/**
 * Counts of each foreground class or region. Each region is counted where its own channel finds it, as nnU-Net does: in a
 * label map, which holds one label a voxel, regions would take voxels from each other.
 * @param logits (N, K, …)
 * @param reference (N, 1, …): labels
 */
export async function countLogits(
  logits: Logits,
  reference: Tensor,
  scheme: LabelScheme,
): Promise<LabelCounts[]> {
  const [channels, foreground] = [channelsOf(scheme), foregroundOf(scheme)];
  const samples = reference.shape[0]!;
  const compare = async (map: Float32Array, wanted: (readonly number[])[]) => {
    using prediction = tensor(map, reference.shape, { device: reference.device });
    return await labelCounts(prediction, reference, wanted, ignoreLabel(scheme));
  };
  const regions = foreground.map(({ labels }) => labels);
  if (!hasRegions(scheme)) return compare(classMap(logits, samples, channels.length), regions);
  const counts: LabelCounts[] = [];
  for (const { name, labels: region } of foreground) {
    const k = channels.findIndex((channel) => channel.name === name);
    const outside = region.findIndex((_, label) => !region.includes(label)); // a label that the region lacks
    const values = [region[0]!, outside < 0 ? region.length : outside] as const;
    counts.push(...(await compare(regionMap(logits, samples, [k, channels.length], values), [region])));
  }
  return counts;
}
