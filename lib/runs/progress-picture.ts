import { writeFileAtomic } from "../files";
import type { Metrics } from "../metrics-log";
import { renderProgress } from "../pictures/progress";
import type { FinetunePlan } from "../plans/finetune";
import type { Plan } from "../plans/plan";

const numeric = (value: Metrics[string] | undefined) => (typeof value === "number" ? value : undefined);

/** Draws metrics.jsonl as progress.png: losses, learning rate, and the loss of predicting the mean. */
export async function drawProgress(file: string, metrics: readonly Metrics[], plan: Plan): Promise<void> {
  const points = metrics.map((m) => ({
    step: m.step,
    loss: numeric(m.loss),
    learningRate: numeric(m.lr),
    validationLoss: numeric(m.validationLoss),
  }));
  const baseline = numeric(metrics.findLast((m) => "validationBaseline" in m)?.validationBaseline);
  await writeFileAtomic(
    file,
    renderProgress(points, {
      title: `S3D pre-training: ${plan.name}`,
      steps: plan.steps,
      ...(baseline === undefined ? {} : { baseline }),
    }),
  );
}

/** Draws metrics.jsonl of a fine-tuning run: losses, learning rate and the Dice of the fixed validation patches. */
export async function drawTuningProgress(
  file: string,
  metrics: readonly Metrics[],
  plan: FinetunePlan,
): Promise<void> {
  const points = metrics.map((m) => ({
    step: m.step,
    loss: numeric(m.loss),
    learningRate: numeric(m.lr),
    validationLoss: numeric(m.validationLoss),
    dice: numeric(m.validationDice),
    smoothDice: numeric(m.validationDiceSmoothed),
  }));
  const title = `Fine-tuning: ${plan.name}`;
  await writeFileAtomic(file, renderProgress(points, { title, steps: plan.steps, quantity: "CE - Dice" }));
}
