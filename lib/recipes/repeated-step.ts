import { endSteps, runStep, StepGraph } from "../step-graph";
import type { Tensor } from "../tensor";

type Results = Record<string, Tensor>;

/** Graphs that are kept; a paper's plan draws 38 numbers of masked blocks. */
const MOST = 64;

/**
 * Training steps that CUDA repeats as graphs (step-graph.ts). A step of a kind that was not seen before runs as it is, its
 * second of the kind is recorded, so that what never comes again costs nothing.
 */
export class RepeatedStep<T extends Results> implements Disposable {
  /** Undefined: seen once. */
  private readonly graphs = new Map<string, StepGraph<T> | undefined>();

  /**
   * @param kind what the numbers that the host knows follow from; of one kind, bodies differ in nothing but the values
   * of tensors and masks that stay the same objects
   */
  run(kind: string, body: () => T): T {
    if (!this.graphs.has(kind)) {
      this.graphs.set(kind, undefined);
      return runStep(body);
    }
    const graph = this.graphs.get(kind) ?? new StepGraph(body);
    this.graphs.set(kind, graph);
    this.forgetOldest();
    return graph.launch();
  }

  private forgetOldest(): void {
    const recorded = [...this.graphs].filter(([, graph]) => graph);
    if (recorded.length <= MOST) return;
    const [kind, graph] = recorded[0] as [string, StepGraph<T>];
    graph.dispose();
    this.graphs.delete(kind);
  }

  dispose(): void {
    if (this.graphs.size === 0) return;
    for (const graph of this.graphs.values()) graph?.dispose();
    this.graphs.clear();
    endSteps();
  }
  [Symbol.dispose](): void {
    this.dispose();
  }
}
