/** Which cases train and which validate: a pure function of the plan's seed and the set of subjects. */
import { rng } from "../random";
import { type Plan, validationSubjects } from "./plan";

export interface Split {
  /** Ids, sorted. */
  training: string[];
  /** Ids, sorted; empty if there are fewer than two subjects, or if the plan holds out none. */
  validation: string[];
}

/**
 * Holds out whole subjects, so that no image of a validation subject is ever trained on. The order in which
 * cases are given does not matter.
 */
export function splitCases(cases: readonly { id: string; subject: string }[], plan: Plan): Split {
  const subjects = [...new Set(cases.map(({ subject }) => subject))].sort();
  const count = validationSubjects(plan, subjects.length);
  const held = new Set(rng(plan.seed, 0, "split").shuffle(subjects).slice(0, count));
  const ids = (wanted: boolean) =>
    cases
      .filter(({ subject }) => held.has(subject) === wanted)
      .map(({ id }) => id)
      .sort();
  return { training: ids(false), validation: ids(true) };
}
