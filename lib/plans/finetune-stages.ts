/** The stages of a fine-tuning schedule (method.md §7.3): rates and trained parameters as pure functions of the step. */
import { constant, poly, type Schedule, type Stage, sequence, stageAt, warmup } from "../optim/schedules";
import type { FinetunePlan } from "./finetune-schema";

/** What trains together: the encoder with its stem, the decoder without its heads, the heads. */
export type ParameterGroup = "encoder" | "decoder" | "heads";

export interface TuningStage extends Stage {
  /** Groups that train; no gradient is computed for the others. */
  trains: readonly ParameterGroup[];
}

const ALL: readonly ParameterGroup[] = ["encoder", "decoder", "heads"];
const DECODER: readonly ParameterGroup[] = ["decoder", "heads"];

type Scheduled = Pick<FinetunePlan, "schedule" | "steps" | "transfer">;

/** Groups that transfer leaves at their initial values. */
function newGroups({ transfer }: Pick<FinetunePlan, "transfer">): readonly ParameterGroup[] {
  return { none: ALL, encoder: DECODER, "encoder+decoder": ["heads"] as const }[transfer];
}

/** The stages of a plan's schedule; the last one goes on for ever. */
export function finetuneStages(plan: Scheduled): TuningStage[] {
  const { kind, learningRate: peak } = plan.schedule;
  const lengths = scheduleSteps(plan);
  const ramp = (at: number, trains = ALL) => ({
    steps: lengths[at]!,
    schedule: warmup(peak, lengths[at]!),
    trains,
  });
  const decay = (at: number, trains = ALL) => ({
    steps: lengths[at]!,
    schedule: decayOf(plan, lengths[at]!),
    trains,
  });
  switch (kind) {
    case "two-stage-warmup":
      return [ramp(0, newGroups(plan)), ramp(1), decay(2)];
    case "sawtooth":
      return [ramp(0, DECODER), decay(1, DECODER), ramp(2), decay(3)];
    case "frozen-encoder":
      return [ramp(0, DECODER), decay(1, DECODER)];
    case "warmup":
      return [ramp(0), decay(1)];
    default:
      return [decay(0)];
  }
}

/** Length of each stage in steps. The last one gets what is left, which may be nothing in a plan that is refused. */
export function scheduleSteps({ schedule, steps }: Pick<FinetunePlan, "schedule" | "steps">): number[] {
  const share = (of: number) => Math.max(1, Math.round(of * steps));
  const { kind, frozenShare, rampShare } = schedule;
  const first = {
    "two-stage-warmup": [share(frozenShare), share(rampShare)],
    sawtooth: [share(frozenShare / 2), share(frozenShare / 2), share(rampShare)],
    "frozen-encoder": [share(rampShare)],
    warmup: [share(rampShare)],
    "no-warmup": [],
    "from-scratch": [],
  }[kind];
  return [...first, steps - first.reduce((a, b) => a + b, 0)];
}

/** Learning rate of each step of a plan. */
export function tuningRate(plan: Scheduled): Schedule {
  return sequence(finetuneStages(plan));
}

/** Groups that a step trains. */
export function trainedGroups(plan: Scheduled, step: number): readonly ParameterGroup[] {
  const stages = finetuneStages(plan);
  return stages[stageAt(stages, step)]!.trains;
}

function decayOf({ schedule }: Scheduled, steps: number): Schedule {
  const { learningRate, polyPower } = schedule;
  return polyPower === 0 ? constant(learningRate) : poly(learningRate, steps, polyPower);
}
