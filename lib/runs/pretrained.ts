import { extname } from "node:path";
import { openSafetensors, type SafetensorsFile } from "../checkpoints/safetensors";
import { openCheckpoint } from "../checkpoints/train-state";
import { CheckpointError } from "../errors";
import { exists, listFolder } from "../files";
import {
  type FinetunePlan,
  type FinetunePlanInput,
  finetunePlanFromJson,
  inputFromPretraining,
} from "../plans/finetune";
import { type Plan, planFromJson } from "../plans/plan";
import { openTraining } from "./load-model";
import { checkpointFolder } from "./load-segmenter";

/** Weights to start from. Close it. */
export interface Pretrained {
  /** The checkpoint folder, or the file. */
  source: string;
  weights: SafetensorsFile;
  /** The plan that made them; a file of weights has none. */
  plan?: Plan | FinetunePlan;
  /** Training steps that made them. */
  step?: number;
  close(): Promise<void>;
}

/**
 * Opens a run of pre-training (its newest checkpoint) or fine-tuning (its final one), one of their checkpoints, or a
 * .safetensors file whose tensors have the same names.
 * @throws CheckpointError when it is missing, damaged or something else
 */
export async function openPretrained(path: string): Promise<Pretrained> {
  if (!(await exists(path))) throw foreign(path, "does not exist");
  if (extname(path) === ".safetensors") {
    const weights = await openSafetensors(path);
    return { source: path, weights, close: () => weights.close() };
  }
  const names = await listFolder(path).catch(() => {
    throw foreign(path, "is no folder");
  });
  const checkpoint =
    names.includes("final") || names.includes("state.json")
      ? await openCheckpoint(await checkpointFolder(path, "final"))
      : await openTraining(path);
  try {
    const { state, folder, weights } = checkpoint;
    const tuned = (state.plan as { kind?: unknown } | null)?.kind === "finetune";
    const plan = tuned ? finetunePlanFromJson(state.plan, folder) : planFromJson(state.plan, folder);
    return { source: folder, weights, plan, step: state.step, close: checkpoint.close };
  } catch (error) {
    await checkpoint.close();
    throw error;
  }
}

/** What a fine-tuning from these weights takes over from the plan that made them. @throws CheckpointError */
export async function inputFromWeights(path: string): Promise<FinetunePlanInput> {
  const { plan, close } = await openPretrained(path);
  await close();
  return plan ? inputFromPretraining(plan) : {};
}

function foreign(path: string, what: string): CheckpointError {
  return new CheckpointError(
    "ERR_VOXELSPARK_CHECKPOINT",
    `${path} ${what}; --pretrained takes a run folder, a checkpoint folder of one, or a .safetensors file.`,
  );
}
