import type { TensorSource } from "../checkpoints/safetensors";
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

/**
 * Sets a model's tensors to the weights of a checkpoint.
 * @throws CheckpointError when it does not hold just these
 */
export async function loadWeights(model: Module, { weights }: Checkpoint): Promise<void> {
  const state = model.state();
  requireTensors(
    weights,
    [...state].map(([name, t]) => ({ name, shape: t.shape })),
  );
  for (const [name, t] of state) t.set(await weights.readFloat32(name));
}

/**
 * Sets an optimiser's momenta to those of a checkpoint.
 * @throws CheckpointError when they are not of just its parameters
 */
export async function loadMomenta(optimizer: SGD, { optimizer: file }: Checkpoint): Promise<void> {
  const momenta = new Map<string, Float32Array>();
  for (const { name } of file.tensors) momenta.set(name, await file.readFloat32(name));
  optimizer.load(momenta);
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
  await loadMomenta(state.optimizer, checkpoint);
  state.step = checkpoint.state.step;
}

/** Tensors by name, such as `state()` of a module or optimiser, as what `saveCheckpoint` and `writeSafetensors` take. */
export function tensorSources(tensors: ReadonlyMap<string, Tensor>): TensorSource[] {
  return [...tensors].map(([name, t]) => ({ name, shape: t.shape, data: () => t.data() }));
}

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
    { weights: tensorSources(model.state()), optimizer: tensorSources(optimizer.state()) },
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
    { weights: tensorSources(model.state()), optimizer: [] },
  );
}
