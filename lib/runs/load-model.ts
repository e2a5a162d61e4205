import { basename } from "node:path";
import {
  type Checkpoint,
  openCheckpoint,
  openLatestCheckpoint,
  requireTensors,
} from "../checkpoints/train-state";
import type { S3D } from "../models/s3d";
import { type Plan, planFromJson } from "../plans/plan";
import { buildS3D } from "../recipes/step";
import type { DeviceName } from "../tensor";

/** Opens a checkpoint folder, or the newest one of a run folder. */
function open(path: string): Promise<Checkpoint> {
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
  const checkpoint = await open(path);
  try {
    const plan = planFromJson(checkpoint.state.plan, checkpoint.folder);
    const model = buildS3D(plan, device);
    try {
      const state = model.state();
      requireTensors(
        checkpoint.weights,
        [...state].map(([name, t]) => ({ name, shape: t.shape })),
      );
      for (const [name, t] of state) t.set(await checkpoint.weights.readFloat32(name));
    } catch (error) {
      model.dispose();
      throw error;
    }
    return { model, plan, step: checkpoint.state.step };
  } finally {
    await checkpoint.close();
  }
}
