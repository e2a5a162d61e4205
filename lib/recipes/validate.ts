import { BlockMask } from "../block-mask";
import { validationMask } from "../masking";
import type { S3D } from "../models/s3d";
import { maskedMse } from "../ops/masked-mse";
import type { Plan } from "../plans/plan";
import { scope } from "../scope";
import { type DeviceName, tensor, zeros } from "../tensor";
import type { PatchSource } from "./pretrain";
import { takeItems } from "./step";

/**
 * Mean masked MSE over the plan's fixed patches and masks, beside that of predicting the mean intensity (0 after the
 * z-score), which a model that has learnt anything beats.
 */
export async function validate(
  plan: Plan,
  model: S3D,
  source: PatchSource,
  device: DeviceName,
): Promise<{ loss: number; baseline: number }> {
  const { patches: total } = plan.validation;
  const { block, ratio } = plan.mask;
  const masking = { patch: plan.patch, block, ratio, per: "sample" as const };
  const sums = { loss: 0, baseline: 0 };
  model.train(false);
  try {
    for (let first = 0; first < total; first += plan.batch) {
      const samples = Math.min(plan.batch, total - first);
      const patches = await source.validation(first, samples);
      const shape = [samples, plan.network.inChannels, ...plan.patch];
      const result = scope(() => {
        const x = tensor(patches, shape, { device });
        const mask = new BlockMask(validationMask(masking, { seed: plan.seed, first, samples }));
        const mean = zeros(shape, { device });
        return [maskedMse(model.forward(x, mask), x, mask), maskedMse(mean, x, mask)] as const;
      });
      const [loss, baseline] = await takeItems(...result);
      sums.loss += loss * samples;
      sums.baseline += baseline * samples;
    }
  } finally {
    model.train(true);
  }
  return { loss: sums.loss / total, baseline: sums.baseline / total };
}
