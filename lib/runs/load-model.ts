import { basename } from "node:path";
import { type Checkpoint, openCheckpoint, openLatestCheckpoint } from "../checkpoints/train-state";
import { precisionOn } from "../device";
import type { S3D } from "../models/s3d";
import { type Plan, planFromJson } from "../plans/plan";
import { buildS3D } from "../recipes/step";
import type { DeviceName } from "../tensor";
import { loadWeights } from "./train-state";

/** Opens a checkpoint folder, or the newest one of a run folder. */
export function openTraining(path: string): Promise<Checkpoint> {
  return /^step-\d+$/.test(basename(path)) ? openCheckpoint(path) : openLatestCheckpoint(path);
}

/**
 * The trained model of a checkpoint with its plan. The caller disposes the model.
 * @throws CheckpointError when it is missing, damaged or of another architecture
 */
export async function loadModel(
  path: string,
  device: DeviceName,
): Promise<{ model: S3D; plan: Plan; step: number }> {
  const checkpoint = await openTraining(path);
  try {
    const plan = planFromJson(checkpoint.state.plan, checkpoint.folder);
    const model = buildS3D(plan, device, precisionOn(device, plan.precision));
    try {
      await loadWeights(model, checkpoint);
    } catch (error) {
      model.dispose();
      throw error;
    }
    return { model, plan, step: checkpoint.state.step };
  } finally {
    await checkpoint.close();
  }
}
