import { BlockMask } from "../block-mask";
import { sampleMask } from "../masking";
import type { S3D } from "../models/s3d";
import { visibleVoxels } from "../pictures/volume";
import type { Plan } from "../plans/plan";
import { scope } from "../scope";
import { type DeviceName, tensor } from "../tensor";

type Triple = readonly [number, number, number];

export interface Reconstruction {
  shape: Triple;
  /** The input where visible, the model's guess where masked. */
  reconstruction: Float32Array;
  /** 1 = visible to the model. */
  visible: Uint8Array;
  /** Mean squared error over the masked voxels, and that of predicting the mean (0). */
  maskedMse: number;
  baselineMse: number;
}

/** Starts of patches that cover an axis, the last one flush with the end. */
function starts(size: number, patch: number): number[] {
  const count = Math.max(1, Math.ceil(size / patch));
  return Array.from({ length: count }, (_, i) => Math.max(0, Math.min(i * patch, size - patch)));
}

/** Rows of the box of `size` at `start`, as [volume offset, patch offset, length], clipped to the volume. */
function* rows(shape: Triple, patch: Triple, start: Triple): Generator<[number, number, number]> {
  const [d, h, w] = patch.map((p, a) => Math.min(p, shape[a]! - start[a]!)) as [number, number, number];
  for (let z = 0; z < d; z++)
    for (let y = 0; y < h; y++)
      yield [
        ((start[0] + z) * shape[1] + start[1] + y) * shape[2] + start[2],
        (z * patch[1] + y) * patch[2],
        w,
      ];
}

/**
 * Masks a whole preprocessed volume patch by patch and lets the model fill it in.
 * @param data z-scored voxels, shape[0] · shape[1] · shape[2]; smaller volumes are padded with their minimum
 * @yields the number of patches done and to do; returns the composed volume
 */
export async function* reconstruct(
  plan: Plan,
  model: S3D,
  data: Float32Array,
  shape: Triple,
  { ratio, seed, device }: { ratio: number; seed: number; device: DeviceName },
): AsyncGenerator<{ done: number; total: number }, Reconstruction> {
  const { patch, mask } = plan;
  const reconstruction = data.slice();
  const visible = new Uint8Array(data.length).fill(1);
  const minimum = data.reduce((a, b) => Math.min(a, b), Number.POSITIVE_INFINITY);
  const boxes = starts(shape[0], patch[0]).flatMap((z) =>
    starts(shape[1], patch[1]).flatMap((y) => starts(shape[2], patch[2]).map((x): Triple => [z, y, x])),
  );
  model.train(false);
  for (const [i, start] of boxes.entries()) {
    const input = new Float32Array(patch[0] * patch[1] * patch[2]).fill(minimum);
    for (const [from, to, n] of rows(shape, patch, start)) input.set(data.subarray(from, from + n), to);
    const sampled = sampleMask(
      { patch, block: mask.block, ratio, per: "batch" },
      { seed, step: i, samples: 1 },
    );
    const y = scope(() => model.forward(tensor(input, [1, 1, ...patch], { device }), new BlockMask(sampled)));
    const guess = await y.data();
    y.dispose();
    const seen = visibleVoxels(sampled.visible, sampled.grid, patch);
    for (const [to, from, n] of rows(shape, patch, start))
      for (let k = 0; k < n; k++) {
        visible[to + k] = seen[from + k]!;
        reconstruction[to + k] = seen[from + k] ? data[to + k]! : guess[from + k]!;
      }
    yield { done: i + 1, total: boxes.length };
  }
  model.train(true);
  return { shape, reconstruction, visible, ...errors(data, reconstruction, visible) };
}

function errors(data: Float32Array, reconstruction: Float32Array, visible: Uint8Array) {
  let masked = 0;
  let error = 0;
  let baseline = 0;
  for (let i = 0; i < data.length; i++) {
    if (visible[i]) continue;
    masked++;
    error += (data[i]! - reconstruction[i]!) ** 2;
    baseline += data[i]! ** 2;
  }
  return { maskedMse: error / masked, baselineMse: baseline / masked };
}
