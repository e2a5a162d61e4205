/** A run as its user sees it: bars, warnings and a summary. */
import type { FinetuneEvent } from "../runs/finetuning";
import type { RunEvent } from "../runs/pretraining";
import { log, type Progress, progress } from "./output";

export interface TrainingSummary {
  step: number;
  reason: "finished" | "interrupted";
  /** Of the last step; null when no step was made. */
  loss: number | null;
  /** Images that could not be used. */
  leftOut: { path: string; code: string; message: string }[];
  seconds: number;
  dataWaitSeconds: number;
}

export interface RunSummary extends TrainingSummary {
  validations: { step: number; loss: number; baseline: number }[];
}

/** Shows the events of a pre-training run of `steps` steps and sums them up. */
export async function watchRun(steps: number, events: AsyncIterable<RunEvent>): Promise<RunSummary> {
  const validations: RunSummary["validations"] = [];
  const summary = await watchTraining("pretrain", steps, events, (event) => {
    if (event.type === "validation" && "baseline" in event)
      validations.push({ step: event.step, loss: event.loss, baseline: event.baseline });
  });
  return { ...summary, validations };
}

type Watched = RunEvent | FinetuneEvent;

/**
 * Shows the events of a training run of `steps` steps and sums them up.
 * @param own gets every event
 */
export async function watchTraining<E extends Watched>(
  title: string,
  steps: number,
  events: AsyncIterable<E>,
  own: (event: E) => void,
): Promise<TrainingSummary> {
  const summary: TrainingSummary = {
    step: 0,
    reason: "interrupted",
    loss: null,
    leftOut: [],
    seconds: 0,
    dataWaitSeconds: 0,
  };
  const began = performance.now();
  let bar: Progress | undefined;
  try {
    for await (const event of events) {
      bar = show(event, title, steps, bar);
      add(event, summary);
      own(event);
    }
  } finally {
    bar?.stop();
  }
  summary.seconds = (performance.now() - began) / 1000;
  return summary;
}

/** Moves the bar on, or to the next phase; returns the one that is shown then. */
function show(event: Watched, title: string, steps: number, bar: Progress | undefined): Progress | undefined {
  switch (event.type) {
    case "prepare": {
      const shown = bar ?? progress("preprocess", event.total);
      shown.update(event.done, event.case);
      for (const w of event.warnings) log(`warning: ${w}`);
      if (event.error) log(`cannot be used: ${event.error.message} [${event.error.code}]`);
      return shown;
    }
    case "start":
      bar?.stop();
      tellStart(event);
      return progress(title, steps, event.step);
    case "step":
      bar?.update(event.step, `loss ${event.loss.toFixed(4)}, ${event.seconds.toFixed(2)} s/step`);
      return bar;
    case "final":
      bar?.stop();
      return undefined;
    case "window":
    case "evaluated":
      return showHeldOut(event, bar);
    case "case":
      for (const w of event.warnings) log(`warning: ${w}`);
      bar?.stop();
      return undefined;
    default:
      return bar;
  }
}

/** One bar a predicted case, one for all that are compared. */
function showHeldOut(event: Watched & { type: "window" | "evaluated" }, bar: Progress | undefined): Progress {
  const what = event.type === "window" ? `predict ${event.case}` : "evaluate";
  const shown = bar ?? progress(what, event.total);
  shown.update(event.done, event.type === "window" ? "" : event.case);
  return shown;
}

function tellStart({ cases, step, skipped }: Watched & { type: "start" }): void {
  for (const damage of skipped) log(`warning: went back past a damaged checkpoint: ${damage}`);
  if (step > 0) log(`resuming at step ${step}`);
  log(`${cases.training} cases train, ${cases.validation} validate`);
  if (cases.validation === 0)
    log("warning: fewer than two subjects, so validation patches come from the training cases");
}

function add(event: Watched, summary: TrainingSummary): void {
  if (event.type === "prepare" && event.error) {
    const { code, message } = event.error;
    summary.leftOut.push({ path: event.path, code, message });
  } else if (event.type === "step") {
    summary.step = event.step;
    summary.loss = event.loss;
    summary.dataWaitSeconds += event.dataWaitSeconds;
  } else if (event.type === "end") {
    summary.step = event.step;
    summary.reason = event.reason;
  }
}
