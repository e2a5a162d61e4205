/** Builds the small S3D of a golden entry with its stored weights. */
import { BlockMask } from "../../lib/block-mask";
import { S3D } from "../../lib/models/s3d";
import { Initializer } from "../../lib/nn/init";
import type { GoldenTensor } from "../golden/golden";

// biome-ignore lint/suspicious/noExplicitAny: fields of a JSON file
export function goldenModel(plan: any, tensors: Map<string, GoldenTensor>): S3D {
  const model = new S3D(new Initializer(1, "cpu"), {
    ...plan,
    network: { ...plan, decoder: { convs: plan.features.slice(1).map(() => 1) } },
  });
  for (const [name, t] of model.state()) {
    const stored = tensors.get(`state.${name}`);
    if (stored) t.set(stored.data);
    else if (!plan.maskToken || !plan.densifyConv) continue;
    else if (!name.includes("running_")) throw new Error(`the golden file lacks ${name}`);
  }
  return model;
}

export function goldenMask(m: {
  samples: number;
  grid: [number, number, number];
  visible: string;
}): BlockMask {
  return new BlockMask({ ...m, visible: Uint8Array.from(m.visible, Number) });
}

/** Relative L2 distance ‖found − expected‖ / max(‖expected‖, floor). */
export function distance(found: ArrayLike<number>, expected: ArrayLike<number>, floor = 1e-30): number {
  if (found.length !== expected.length)
    throw new Error(`${found.length} values, expected ${expected.length}`);
  let error = 0;
  let scale = 0;
  for (let i = 0; i < found.length; i++) {
    error += ((found[i] as number) - (expected[i] as number)) ** 2;
    scale += (expected[i] as number) ** 2;
  }
  return Math.sqrt(error) / Math.max(Math.sqrt(scale), floor);
}

/** The voxels whose z, y and x are divisible by `step`. */
export function probe(values: ArrayLike<number>, shape: readonly number[], step: number): number[] {
  const [d, h, w] = shape.slice(-3) as [number, number, number];
  return Array.from(values).filter((_, i) => {
    const [z, y, x] = [Math.floor(i / (w * h)) % d, Math.floor(i / w) % h, i % w];
    return z % step === 0 && y % step === 0 && x % step === 0;
  });
}
