/**
 * Learning rates as pure functions of the step. A schedule is a list of stages laid end to end; nothing is
 * remembered between steps, so a resumed run continues on the same curve.
 */
import { ArgumentRangeError } from "../errors";

/** Learning rate of a whole step 0, 1, 2, … */
export type Schedule = (step: number) => number;

/** base · (1 − step / steps)^power: `base` at step 0, 0 at `steps` and beyond (nnU-Net's "poly", power 0.9). */
export function poly(base: number, steps: number, power = 0.9): Schedule {
  checkRate("poly", base);
  checkSteps("poly", steps);
  return (step) => base * (1 - Math.min(checkStep(step), steps) / steps) ** power;
}

/** The same rate at every step. */
export function constant(rate: number): Schedule {
  checkRate("constant", rate);
  return (step) => {
    checkStep(step);
    return rate;
  };
}

/** Linear ramp peak · (1 + step) / steps: one part of the peak at step 0, the peak at step `steps` − 1 and after. */
export function warmup(peak: number, steps: number): Schedule {
  checkRate("warmup", peak);
  checkSteps("warmup", steps);
  return (step) => peak * Math.min((1 + checkStep(step)) / steps, 1);
}

export interface Stage {
  /** Length; the last stage may leave it out and run for ever. */
  steps?: number;
  /** Called with the step counted from the stage's own start. */
  schedule: Schedule;
}

/** Stages one after another, e.g. a warm-up and then poly. Steps behind the last stage stay in it. */
export function sequence(stages: readonly Stage[]): Schedule {
  const starts = stageStarts(stages);
  return (step) => {
    const at = stageIndex(starts, checkStep(step));
    return stages[at]!.schedule(step - starts[at]!);
  };
}

/** Which stage a step belongs to: fine-tuning asks, to know which parameters train. */
export function stageAt(stages: readonly Stage[], step: number): number {
  return stageIndex(stageStarts(stages), checkStep(step));
}

/**
 * Changes a schedule only every `stepsPerEpoch` steps: upstream sets its rate once an epoch of 250 steps, so
 * poly over epochs is `perEpoch(poly(1e-2, 250_000), 250)`.
 */
export function perEpoch(schedule: Schedule, stepsPerEpoch: number): Schedule {
  checkSteps("perEpoch", stepsPerEpoch);
  return (step) => schedule(Math.floor(checkStep(step) / stepsPerEpoch) * stepsPerEpoch);
}

function stageStarts(stages: readonly Stage[]): number[] {
  if (stages.length === 0) throw new ArgumentRangeError("A schedule needs at least one stage, found none.");
  const starts = [0];
  for (const [i, stage] of stages.slice(0, -1).entries()) {
    checkSteps(`stage ${i} of a schedule`, stage.steps ?? Number.NaN);
    starts.push(starts[i]! + stage.steps!);
  }
  return starts;
}

function stageIndex(starts: readonly number[], step: number): number {
  let at = starts.length - 1;
  while (step < starts[at]!) at--;
  return at;
}

function checkRate(what: string, rate: number): void {
  if (!Number.isFinite(rate) || rate < 0) {
    throw new ArgumentRangeError(`${what}: a learning rate must be finite and not negative, found ${rate}.`);
  }
}

function checkSteps(what: string, steps: number): void {
  if (!Number.isSafeInteger(steps) || steps < 1) {
    throw new ArgumentRangeError(`${what}: a length must be a whole number of steps from 1, found ${steps}.`);
  }
}

function checkStep(step: number): number {
  if (!Number.isSafeInteger(step) || step < 0) {
    throw new ArgumentRangeError(`A schedule needs a whole step from 0, found ${step}.`);
  }
  return step;
}
