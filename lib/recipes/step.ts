import { BlockMask } from "../block-mask";
import { featureType, resolveDevice } from "../device";
import type { SampledMask } from "../masking";
import { S3D } from "../models/s3d";
import { Initializer } from "../nn/init";
import { maskedMse } from "../ops/masked-mse";
import { LossScale } from "../optim/loss-scale";
import { SGD } from "../optim/sgd";
import type { Plan } from "../plans/plan";
import { scope } from "../scope";
import { type DeviceName, type Tensor, tensor } from "../tensor";
import { type StepResult, trainStep } from "./step-runner";

/** The device whose steps a model is for: the null device counts the memory of the plan's. */
export function runsOn(plan: Plan, device: DeviceName): DeviceName {
  if (device !== "null") return device;
  if (plan.precision !== "fp32") return "cuda";
  return plan.device === "auto" ? resolveDevice("auto").device : plan.device;
}

/**
 * The model that a plan describes, with the initial weights of its seed.
 * @throws DeviceError when the device does not have the precision
 */
export function buildS3D(plan: Plan, device: DeviceName, precision = plan.precision): S3D {
  const { network, winograd, fusion, sparsification, mask, upstreamParity, tokenFolding } = plan;
  // Winograd convolution is the CPU's. The null device, which counts for CUDA, cannot know.
  const products = runsOn(plan, device) === "cuda" ? "off" : winograd;
  const options = {
    ...sparsification,
    network: { ...network, winograd: products, fusion, dtype: featureType(precision, device) },
    coarse: mask.coarse ?? undefined,
    maskInput: !upstreamParity,
    tokenFolding,
  };
  const init = new Initializer(plan.seed, device);
  try {
    return new S3D(init, options);
  } catch (error) {
    init.dispose();
    throw error;
  }
}

/** The plan's optimiser over everything that the model trains. */
export function buildSGD(plan: Plan, model: S3D): SGD {
  const { momentum, nesterov, weightDecay, clip } = plan.optimizer;
  const lossScale = plan.precision === "fp16" ? new LossScale() : undefined;
  return new SGD(model.parameters(), { momentum, nesterov, weightDecay, clip: clip ?? 0, lossScale });
}

/** Values of scalars on a device, in order; the scalars are freed, also when reading one fails. */
export async function takeItems<T extends readonly Tensor[]>(
  ...scalars: T
): Promise<{ [K in keyof T]: number }> {
  try {
    return (await Promise.all(scalars.map((t) => t.item()))) as { [K in keyof T]: number };
  } finally {
    for (const t of scalars) t.dispose();
  }
}

export interface StepInput {
  /** (N, C, D, H, W) patches, row-major. */
  patches: Float32Array;
  shape: readonly number[];
  mask: SampledMask;
  device: DeviceName;
}

/**
 * One step of S3D pre-training: reconstruct, compare on the masked voxels, go back, update.
 * Everything but the two results is freed on return; a step that fails, e.g. for lack of memory, frees everything.
 * @returns loss and L2 norm of the whole gradient, scalars still on the device
 */
export function pretrainStep(model: S3D, optimizer: SGD, input: StepInput, learningRate: number): StepResult {
  return scope(() => {
    const x = tensor(input.patches, input.shape, { device: input.device });
    const mask = new BlockMask(input.mask);
    return trainStep(optimizer, learningRate, () => maskedMse(model.forward(x, mask), x, mask));
  });
}
