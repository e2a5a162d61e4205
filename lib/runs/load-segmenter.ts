import { basename, join } from "node:path";
import { type Checkpoint, openCheckpoint } from "../checkpoints/train-state";
import { type Precision, precisionOn } from "../device";
import { CheckpointError } from "../errors";
import { exists } from "../files";
import type { ResEncUNet } from "../models/resenc-unet";
import { type FinetunePlan, finetunePlanFromJson } from "../plans/finetune";
import { planFromFile } from "../plans/plan";
import { buildSegmenter } from "../recipes/segmenter";
import type { DeviceName } from "../tensor";
import { loadWeights } from "./train-state";

/** A fine-tuned network with its plan. Dispose it. */
export interface Segmenter {
  /** `model.forward(x)` turns (N, C, D, H, W) into logits (N, K, D, H, W), one channel a class or region. */
  readonly model: ResEncUNet;
  readonly plan: FinetunePlan;
  /** Training steps that made it. */
  readonly step: number;
}

/**
 * The network of a fine-tuning run, or of one of its checkpoints (`final/`, `best/`, `step-XXXXXXXX/`).
 * @param which of a run folder: after the last step, or where the mean validation Dice was best
 * @param precision default: that of the training, or fp32 where the device lacks it
 * @throws CheckpointError when it is missing, damaged, of pre-training or of another architecture
 */
export async function loadSegmenter(
  path: string,
  device: DeviceName,
  which: "final" | "best" = "final",
  precision?: Precision,
): Promise<Segmenter & Disposable> {
  const checkpoint = await openCheckpoint(await checkpointFolder(path, which));
  try {
    const plan = finetunePlanOf(checkpoint);
    const model = buildSegmenter(plan, device, precision ?? precisionOn(device, plan.precision));
    try {
      await loadWeights(model, checkpoint);
    } catch (error) {
      model.dispose();
      throw error;
    }
    model.train(false);
    return { model, plan, step: checkpoint.state.step, [Symbol.dispose]: () => model.dispose() };
  } finally {
    await checkpoint.close();
  }
}

/** The plan in a checkpoint of fine-tuning. @throws CheckpointError when it is one of pre-training */
export function finetunePlanOf({ state, folder }: Checkpoint): FinetunePlan {
  const kind = (state.plan as { kind?: unknown } | null)?.kind;
  if (kind === "finetune") return finetunePlanFromJson(state.plan, folder);
  return refusePretraining(folder, "a checkpoint");
}

function refusePretraining(path: string, what: string): never {
  throw new CheckpointError(
    "ERR_VOXELSPARK_CHECKPOINT",
    `${path} is ${what} of pre-training, which predicts no labels; fine-tune from it first.`,
  );
}

/** Whether a folder holds a plan of pre-training, which the two kinds of plans tell by their fields. */
function isPretraining(run: string): Promise<boolean> {
  return planFromFile(join(run, "plan.json")).then(
    () => true,
    () => false,
  );
}

/** The checkpoint folder that `path` is, or the one of that name in a run folder. */
export async function checkpointFolder(path: string, which: "final" | "best"): Promise<string> {
  if ((await exists(join(path, "state.json"))) || /^(final|best|step-\d+)$/.test(basename(path))) return path;
  const folder = join(path, which);
  if (await exists(folder)) return folder;
  if (!(await exists(path)))
    throw new CheckpointError("ERR_VOXELSPARK_CHECKPOINT", `${path} does not exist.`);
  if (await isPretraining(path)) refusePretraining(path, "a run");
  const why =
    which === "final"
      ? "a run that has not ended holds step-XXXXXXXX/ folders, which can be named instead"
      : "a run writes it at its first validation";
  throw new CheckpointError("ERR_VOXELSPARK_CHECKPOINT", `${path} holds no folder ${which}/; ${why}.`);
}
