import { log } from "./output";

export interface Interruption {
  /** Aborted by the first SIGINT or SIGTERM. */
  signal: AbortSignal;
  /** 128 + the signal's number; 0 before one came. */
  readonly exitCode: number;
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
  const stop = (code: number) => () => {
    if (controller.signal.aborted) process.exit(code);
    interruption.exitCode = code;
    log(`\nstopping after ${ending}; once more stops at once`);
    controller.abort();
  };
  const [int, term] = [stop(130), stop(143)];
  process.on("SIGINT", int).on("SIGTERM", term);
  try {
    return await work(interruption);
  } finally {
    process.off("SIGINT", int).off("SIGTERM", term);
  }
}
