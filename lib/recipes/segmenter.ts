import { ResEncUNet } from "../models/resenc-unet";
import { Initializer } from "../nn/init";
import type { FinetunePlan } from "../plans/finetune";
import type { DeviceName } from "../tensor";

/**
 * The segmentation network of a plan: a dense ResEnc U-Net with one output channel a class or region, initialised as
 * nnU-Net does (method.md §1.4): He-normal, and residual blocks that start as their skip.
 */
export function buildSegmenter(plan: FinetunePlan, device: DeviceName): ResEncUNet {
  const init = new Initializer(plan.seed, device, "float32", "he");
  try {
    const model = new ResEncUNet(init, { ...plan.network, winograd: plan.winograd });
    for (const [name, t] of model.state())
      if (/\.conv2\.norm\.weight$/.test(name)) t.set(new Float32Array(t.size));
    return model;
  } catch (error) {
    init.dispose();
    throw error;
  }
}
