import { deviceNames, native } from "../binding";
import { ratioRange, sampleMask } from "../masking";
import type { Plan } from "../plans/plan";
import { type DeviceName, resetPeak, stats } from "../tensor";
import { buildS3D, buildSGD, pretrainStep, runsOn } from "./step";

export interface DryRun {
  /** Whose memory was counted: the plan's; "cuda" for a plan in 16 bits. */
  device: DeviceName;
  parameters: number;
  /** Highest number of bytes alive in a step: weights, gradients, momenta, activations, scratch. */
  peakBytes: number;
  /** Bytes that stay between steps: weights and momenta. */
  residentBytes: number;
}

/**
 * What a step of the plan needs, without computing it: shapes are inferred and memory is counted on the null device, which
 * stands for the plan's: on CUDA that is the device's memory but for what the driver itself, copies (at most 256 MiB) and
 * CUDA graphs take. The mask is one with the fewest masked blocks that the plan can draw, so the peak is the worst case.
 */
export function dryRun(plan: Plan): DryRun {
  const device = runsOn(plan, "null");
  native.configure({ nullCounts: deviceNames.indexOf(device) });
  try {
    return { device, ...countedStep(plan) };
  } finally {
    native.configure({ nullCounts: deviceNames.indexOf("cpu") });
  }
}

function countedStep(plan: Plan): Omit<DryRun, "device"> {
  const [ratio] = ratioRange(plan.mask.ratio);
  const before = stats("null").liveBytes;
  using model = buildS3D(plan, "null");
  using optimizer = buildSGD(plan, model);
  const shape = [plan.batch, plan.network.inChannels, ...plan.patch];
  const patches = new Float32Array(shape.reduce((a, b) => a * b, 1));
  const mask = sampleMask(
    { patch: plan.patch, block: plan.mask.block, ratio, per: "batch" },
    { seed: plan.seed, step: 0, samples: plan.batch },
  );
  const residentBytes = stats("null").liveBytes - before;
  resetPeak("null");
  const result = pretrainStep(model, optimizer, { patches, shape, mask, device: "null" }, 0);
  result.loss.dispose();
  result.gradientNorm.dispose();
  return { parameters: model.parameterCount(), peakBytes: stats("null").peakBytes - before, residentBytes };
}
