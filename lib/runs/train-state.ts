import { type Checkpoint, requireTensors, saveCheckpoint, writeCheckpoint } from "../checkpoints/train-state";
import { DataError } from "../errors";
import type { Module } from "../nn/module";
import type { SGD } from "../optim/sgd";
import type { Tensor } from "../tensor";

/** What a checkpoint holds of a model in training. */
export interface ModelState {
  readonly model: Module;
  readonly optimizer: SGD;
  /** Steps already done. */
  step: number;
}

type Memory = Readonly<Record<string, unknown>>;

/** Sets a model's tensors to the weights of a checkpoint, which must hold just these. */
export async function loadWeights(model: Module, { weights }: Checkpoint): Promise<void> {
  const state = model.state();
  requireTensors(
    weights,
    [...state].map(([name, t]) => ({ name, shape: t.shape })),
  );
  for (const [name, t] of state) t.set(await weights.readFloat32(name));
}

/**
 * Loads a checkpoint into a state of the same plan.
 * @throws DataError when it was trained on other data; CheckpointError when names or shapes differ
 */
export async function restoreState(
  state: ModelState,
  checkpoint: Checkpoint,
  fingerprint: string,
): Promise<void> {
  const before = checkpoint.state.extra?.dataFingerprint;
  if (before !== fingerprint)
    throw new DataError(
      "ERR_VOXELSPARK_DATA",
      `${checkpoint.folder} was trained on other data (fingerprint ${String(before)}, now ${fingerprint}); resume with the same cases`,
    );
  await loadWeights(state.model, checkpoint);
  const momenta = new Map<string, Float32Array>();
  for (const { name } of checkpoint.optimizer.tensors)
    momenta.set(name, await checkpoint.optimizer.readFloat32(name));
  state.optimizer.load(momenta);
  state.step = checkpoint.state.step;
}

const sources = (tensors: Map<string, Tensor>) =>
  [...tensors].map(([name, t]) => ({ name, shape: t.shape, data: () => t.data() }));

/** Writes weights, momenta and what the run is as the checkpoint of its step; returns the folder. */
export function saveState(
  out: string,
  plan: { readonly seed: number; readonly checkpoint: { readonly keep: number } },
  { model, optimizer, step }: ModelState,
  fingerprint: string,
  memory: Memory = {},
): Promise<string> {
  return saveCheckpoint(
    out,
    { step, seed: plan.seed, plan, extra: { dataFingerprint: fingerprint, ...memory } },
    { weights: sources(model.state()), optimizer: sources(optimizer.state()) },
    { keep: plan.checkpoint.keep },
  );
}

/** Writes the weights alone, for use and not for going on. */
export function saveWeights(
  folder: string,
  plan: { readonly seed: number },
  { model, step }: Pick<ModelState, "model" | "step">,
  fingerprint: string,
  memory: Memory = {},
): Promise<void> {
  return writeCheckpoint(
    folder,
    { step, seed: plan.seed, plan, extra: { dataFingerprint: fingerprint, ...memory } },
    { weights: sources(model.state()), optimizer: [] },
  );
}
