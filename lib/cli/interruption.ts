import { log } from "./output";

export interface Interruption {
  /** Aborted by the first SIGINT or SIGTERM, or when nobody reads stderr any more. */
  signal: AbortSignal;
  /** 128 + the signal's number; 0 before one came. */
  readonly exitCode: number;
}

const SIGPIPE = 13;
const stops = new Set<(code: number) => void>();

/**
 * Nobody reads stderr any more (`2>&1 | head`, a log that was closed): work that can be interrupted is, as by a signal, so that
 * hours of training leave a checkpoint; other work ends at once, as programs do at a broken pipe.
 */
export function brokenStderr(): void {
  if (stops.size === 0) process.exit(128 + SIGPIPE);
  for (const stop of stops) stop(128 + SIGPIPE);
}

/**
 * Lets `work` end by itself at the first SIGINT or SIGTERM; the second ends the process at once, which damages nothing,
 * since everything is written under temporary names.
 * @param ending what the user is told to wait for, e.g. "this step"
 */
export async function interruptible<T>(
  ending: string,
  work: (interruption: Interruption) => Promise<T>,
): Promise<T> {
  const controller = new AbortController();
  const interruption = { signal: controller.signal, exitCode: 0 };
  const stop = (code: number) => {
    interruption.exitCode ||= code;
    controller.abort();
  };
  const onSignal = (code: number) => () => {
    if (controller.signal.aborted) process.exit(code);
    stop(code);
    log(`\nstopping after ${ending}; once more stops at once`);
  };
  const [int, term] = [onSignal(130), onSignal(143)];
  process.on("SIGINT", int).on("SIGTERM", term);
  stops.add(stop);
  try {
    return await work(interruption);
  } finally {
    process.off("SIGINT", int).off("SIGTERM", term);
    stops.delete(stop);
  }
}
