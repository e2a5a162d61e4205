import { type Checkpoint, requireTensors, saveCheckpoint } from "../checkpoints/train-state";
import { DataError } from "../errors";
import type { Plan } from "../plans/plan";
import type { PretrainState } from "../recipes/pretrain";
import type { Tensor } from "../tensor";

/**
 * Loads a checkpoint into a state of the same plan.
 * @throws DataError when it was trained on other data; CheckpointError when names or shapes differ
 */
export async function restoreState(
  state: PretrainState,
  checkpoint: Checkpoint,
  fingerprint: string,
): Promise<void> {
  const before = checkpoint.state.extra?.dataFingerprint;
  if (before !== fingerprint)
    throw new DataError(
      "ERR_VOXELSPARK_DATA",
      `${checkpoint.folder} was trained on other data (fingerprint ${String(before)}, now ${fingerprint}); resume with the same cases`,
    );
  const weights = state.model.state();
  requireTensors(
    checkpoint.weights,
    [...weights].map(([name, t]) => ({ name, shape: t.shape })),
  );
  for (const [name, t] of weights) t.set(await checkpoint.weights.readFloat32(name));
  const momenta = new Map<string, Float32Array>();
  for (const { name } of checkpoint.optimizer.tensors)
    momenta.set(name, await checkpoint.optimizer.readFloat32(name));
  state.optimizer.load(momenta);
  state.step = checkpoint.state.step;
}

/** Writes weights, momenta and what the run is; returns the folder. */
export function saveState(
  out: string,
  plan: Plan,
  state: PretrainState,
  fingerprint: string,
): Promise<string> {
  const sources = (tensors: Map<string, Tensor>) =>
    [...tensors].map(([name, t]) => ({ name, shape: t.shape, data: () => t.data() }));
  const { model, optimizer, step } = state;
  return saveCheckpoint(
    out,
    { step, seed: plan.seed, plan, extra: { dataFingerprint: fingerprint } },
    { weights: sources(model.state()), optimizer: sources(optimizer.state()) },
    { keep: plan.checkpoint.keep },
  );
}
