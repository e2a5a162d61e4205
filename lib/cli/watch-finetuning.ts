/** A fine-tuning run as its user sees it: its stages, what was transferred, validation. */
import type { Summary } from "../evaluation/summary";
import { type FinetunePlan, finetuneStages } from "../plans/finetune";
import type { FinetuneEvent } from "../runs/finetuning";
import { log } from "./output";
import { watchTraining } from "./watch";

/** What trains when. */
export function tellStages(plan: FinetunePlan): void {
  const { kind, learningRate } = plan.schedule;
  let from = 0;
  const parts = finetuneStages(plan).map(({ steps, trains }) => {
    const text = `steps ${from} to ${from + steps! - 1} train ${trains.join(", ")}`;
    from += steps!;
    return text;
  });
  log(`schedule ${kind}, peak learning rate ${learningRate}: ${parts.join("; ")}`);
}

/** Shows the events of a fine-tuning run and sums them up. */
export async function watchFinetuning(plan: FinetunePlan, events: AsyncIterable<FinetuneEvent>) {
  const validations: { step: number; loss: number; dice: number | null; smoothedDice: number | null }[] = [];
  const found: { summary?: Summary; transfer?: string } = {};
  const run = await watchTraining("finetune", plan.steps, events, (event) => {
    if (event.type === "transfer") tellTransfer(event);
    else if (event.type === "data") for (const warning of event.warnings) log(`warning: ${warning}`);
    else if (event.type === "summary") found.summary = event.summary;
    else if (event.type === "validation") {
      const { step, loss, meanDice: dice, smoothedDice } = event;
      validations.push({ step, loss, dice, smoothedDice });
    }
  });
  return { ...run, validations, ...found };
}

/** Names without the numbers of layers, each with how often it occurs: "encoder.stages (12)". */
function tellTransfer(report: FinetuneEvent & { type: "transfer" }): void {
  const { source, transfer, loaded, adapted, reinitialised, skipped, unexpected } = report;
  const names = (list: readonly string[]) => (list.length > 0 ? `: ${brief(list)}` : "");
  const because = [...new Set(skipped.map(({ why }) => why))];
  const count = (why: string) => skipped.filter((entry) => entry.why === why).length;
  log(`transfer ${transfer} from ${source}`);
  log(`  loaded          ${loaded.length} tensors${names(loaded)}`);
  for (const { name, from, to } of adapted)
    log(`  adapted         ${name} ${from.join("×")} to ${to.join("×")}`);
  log(`  re-initialised  ${reinitialised.length}${names(reinitialised)}`);
  log(`  skipped         ${skipped.length}${because.map((why) => `, ${count(why)} of a ${why}`).join("")}`);
  log(`  unexpected      ${unexpected.length}${names(unexpected)}`);
}

function brief(names: readonly string[]): string {
  const groups = new Map<string, number>();
  for (const name of names) {
    const group = name.split(".").slice(0, 2).join(".");
    groups.set(group, (groups.get(group) ?? 0) + 1);
  }
  return [...groups].map(([group, count]) => `${group} (${count})`).join(", ");
}
