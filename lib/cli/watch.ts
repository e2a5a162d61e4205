/** A run as its user sees it: bars, warnings and a summary. */
import type { RunEvent } from "../runs/pretraining";
import { log, type Progress, progress } from "./output";

export interface RunSummary {
  step: number;
  reason: "finished" | "interrupted";
  /** Masked MSE of the last step; null when no step was made. */
  loss: number | null;
  validations: { step: number; loss: number; baseline: number }[];
  /** Images that could not be used. */
  leftOut: { path: string; code: string; message: string }[];
  seconds: number;
  dataWaitSeconds: number;
}

/** Shows the events of a run of `steps` steps and sums them up. */
export async function watchRun(steps: number, events: AsyncIterable<RunEvent>): Promise<RunSummary> {
  const summary: RunSummary = {
    step: 0,
    reason: "interrupted",
    loss: null,
    validations: [],
    leftOut: [],
    seconds: 0,
    dataWaitSeconds: 0,
  };
  const began = performance.now();
  let bar: Progress | undefined;
  try {
    for await (const event of events) {
      bar = show(event, steps, bar);
      add(event, summary);
    }
  } finally {
    bar?.stop();
  }
  summary.seconds = (performance.now() - began) / 1000;
  return summary;
}

/** Moves the bar on, or to the next phase; returns the one that is shown then. */
function show(event: RunEvent, steps: number, bar: Progress | undefined): Progress | undefined {
  switch (event.type) {
    case "prepare": {
      const shown = bar ?? progress("preprocess", event.total);
      shown.update(event.done, event.case);
      for (const w of event.warnings) log(`warning: ${w}`);
      if (event.error) log(`left out: ${event.error.message} [${event.error.code}]`);
      return shown;
    }
    case "start":
      bar?.stop();
      tellStart(event);
      return progress("pretrain", steps, event.step);
    case "step":
      bar?.update(event.step, `loss ${event.loss.toFixed(4)}, ${event.seconds.toFixed(2)} s/step`);
      return bar;
    default:
      return bar;
  }
}

function tellStart({ cases, step, skipped }: RunEvent & { type: "start" }): void {
  for (const damage of skipped) log(`warning: went back past a damaged checkpoint: ${damage}`);
  if (step > 0) log(`resuming at step ${step}`);
  log(`${cases.training} cases train, ${cases.validation} validate`);
  if (cases.validation === 0)
    log("warning: fewer than two subjects, so validation patches come from the training cases");
}

function add(event: RunEvent, summary: RunSummary): void {
  if (event.type === "prepare" && event.error) {
    const { code, message } = event.error;
    summary.leftOut.push({ path: event.path, code, message });
  } else if (event.type === "step") {
    summary.step = event.step;
    summary.loss = event.loss;
    summary.dataWaitSeconds += event.dataWaitSeconds;
  } else if (event.type === "validation") {
    const { step, loss, baseline } = event;
    summary.validations.push({ step, loss, baseline });
  } else if (event.type === "end") {
    summary.step = event.step;
    summary.reason = event.reason;
  }
}
