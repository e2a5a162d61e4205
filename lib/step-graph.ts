/**
 * Steps that CUDA repeats. Recording a step runs nothing: its launches become a CUDA graph, and launching that does them
 * again, on the same memory with the same arguments. What is to differ is therefore a tensor or a mask of the caller's,
 * set anew before each launch. Only what the host knows while it launches is fixed: shapes, attributes, and how many
 * blocks of each sample are visible.
 */
import { dtypeNames, native } from "./binding";
import type { BlockMask } from "./block-mask";
import { launch, watchLaunches } from "./launch";
import { keep, scope } from "./scope";
import { Tensor } from "./tensor";

type Results = Record<string, Tensor>;

/** Copies, in memory that steps do not use: the next step may overwrite what it did not make. */
function copied<T extends Results>(results: T): T {
  const copy = (t: Tensor) => launch("cast", [t], { dtype: dtypeNames.indexOf(t.dtype) })[0];
  return Object.fromEntries(Object.entries(results).map(([name, t]) => [name, copy(t)])) as T;
}

/**
 * Runs a step in the memory of recorded ones, with which it may take turns. On CUDA only.
 * @param body synchronous; leaves nothing behind but its results and what it changes in place
 * @returns copies of the results
 */
export function runStep<T extends Results>(body: () => T): T {
  return scope(() => {
    native.beginStep(false);
    let results: T;
    try {
      results = scope(body);
    } finally {
      native.endStep(false);
    }
    return copied(results);
  });
}

/** Gives the memory of steps back to everyone where no recorded step is left. */
export function endSteps(): void {
  native.disposeStep(0);
}

/** A step that was recorded. Holds the tensors and masks of others that it uses. */
export class StepGraph<T extends Results> implements Disposable {
  private readonly held = new Set<Tensor | BlockMask>();
  private readonly id: number;
  private results: T | undefined;

  /**
   * Records a step. Its kernels must have run before with the same shapes, since the device may not load any while it
   * records: see `runStep`.
   * @param body as for `runStep`; copies of values from JavaScript, reads and new masks are refused
   * @throws DeviceError; OutOfMemoryError. What fails in the device itself is the error of the next read.
   */
  constructor(body: () => T) {
    const first = Tensor.count;
    const hold = (used: Tensor | BlockMask) => {
      if ((used instanceof Tensor && used.number >= first) || this.held.has(used)) return;
      used.retain();
      this.held.add(used);
    };
    native.beginStep(true);
    try {
      this.results = watchLaunches(hold, () => scope(body));
      for (const t of Object.values(this.results)) keep(t);
    } catch (error) {
      this.id = native.endStep(true);
      this.dispose();
      throw error;
    }
    this.id = native.endStep(false);
  }

  /** Repeats the step. @returns copies of its results */
  launch(): T {
    native.launchStep(this.id);
    return copied(this.results as T);
  }

  dispose(): void {
    for (const t of Object.values(this.results ?? {})) t.dispose();
    if (this.results && this.id) native.disposeStep(this.id);
    this.results = undefined;
    for (const used of this.held) used.release();
    this.held.clear();
  }
  [Symbol.dispose](): void {
    this.dispose();
  }
}
