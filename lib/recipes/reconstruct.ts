import { BlockMask } from "../block-mask";
import { minimumOf } from "../data/preprocess-steps";
import { DataError } from "../errors";
import { tileRows, tiles } from "../inference/tiles";
import { sampleMask } from "../masking";
import type { S3D } from "../models/s3d";
import { visibleVoxels } from "../pictures/volume";
import type { Plan } from "../plans/plan";
import { scope } from "../scope";
import { type DeviceName, tensor } from "../tensor";
import type { Triple } from "../triple";

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

/**
 * Masks a whole preprocessed volume patch by patch and lets the model fill it in.
 * @param data z-scored voxels, shape[0] · shape[1] · shape[2]; smaller volumes are padded as the plan says
 * @throws DataError when no voxel of a small volume lies in a masked block
 * @yields the number of patches done and to do; returns the composed volume
 */
export async function* reconstruct(
  plan: Plan,
  model: S3D,
  data: Float32Array,
  shape: Triple,
  { ratio, seed, device }: { ratio: number; seed: number; device: DeviceName },
): AsyncGenerator<{ done: number; total: number }, Reconstruction> {
  const { patch } = plan;
  const masking = { patch, block: plan.mask.block, ratio, per: "batch" as const };
  const reconstruction = data.slice();
  const visible = new Uint8Array(data.length).fill(1);
  const outside = plan.padding === "zero" ? 0 : minimumOf(data);
  const corners = tiles(shape, patch);
  model.train(false);
  try {
    for (const [i, start] of corners.entries()) {
      const input = new Float32Array(patch[0] * patch[1] * patch[2]).fill(outside);
      const rows = [...tileRows(shape, patch, start)];
      for (const r of rows) input.set(data.subarray(r.volume, r.volume + r.length), r.patch);
      const mask = sampleMask(masking, { seed, step: i, samples: 1 });
      using y = scope(() => model.forward(tensor(input, [1, 1, ...patch], { device }), new BlockMask(mask)));
      const guess = await y.data();
      const seen = visibleVoxels(mask.visible, mask.grid, patch);
      for (const r of rows)
        for (let k = 0; k < r.length; k++) {
          const [to, from] = [r.volume + k, r.patch + k];
          visible[to] = seen[from]!;
          reconstruction[to] = seen[from] ? data[to]! : guess[from]!;
        }
      yield { done: i + 1, total: corners.length };
    }
  } finally {
    model.train(true);
  }
  return { shape, reconstruction, visible, ...errors(data, reconstruction, visible) };
}

function errors(data: Float32Array, reconstruction: Float32Array, visible: Uint8Array) {
  let [masked, error, baseline] = [0, 0, 0];
  for (let i = 0; i < data.length; i++) {
    if (visible[i]) continue;
    masked++;
    error += (data[i]! - reconstruction[i]!) ** 2;
    baseline += data[i]! ** 2;
  }
  if (masked === 0)
    throw new DataError(
      "ERR_VOXELSPARK_DATA",
      `none of the ${data.length} voxels is masked, so there is nothing to reconstruct; take a larger image or another seed.`,
    );
  return { maskedMse: error / masked, baselineMse: baseline / masked };
}
