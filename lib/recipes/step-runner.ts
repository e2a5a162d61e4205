import { Tape } from "../autograd";
import type { SGD, StepScalars } from "../optim/sgd";
import { scope } from "../scope";
import { type DeviceName, type Tensor, tensor, zeros } from "../tensor";
import { RepeatedStep } from "./repeated-step";

/** Scalars on the device that the step is for. */
export type StepResult = { loss: Tensor; gradientNorm: Tensor };

/** Forward, back, update. The gradients are freed, also those of a step that ran out of memory. */
export function trainStep(optimizer: SGD, rate: number | StepScalars, forward: () => Tensor): StepResult {
  const tape = new Tape();
  try {
    const loss = tape.record(forward);
    optimizer.backward(tape, loss, typeof rate === "number" ? undefined : rate);
    return { loss, gradientNorm: optimizer.step(rate) };
  } finally {
    optimizer.zeroGrad();
  }
}

/** Does the steps of a run: each anew, or repeated as CUDA graphs, whose inputs stay where they are. */
export class StepRunner<K extends string> implements Disposable {
  private readonly fixed: Record<K, Tensor> | undefined;
  private readonly scalars: StepScalars | undefined;
  private readonly graphs: RepeatedStep<StepResult> | undefined;
  private optimizer: SGD | undefined;

  /**
   * @param shapes of the inputs
   * @param repeated whether steps are graphs; on CUDA only
   */
  constructor(
    private readonly shapes: Record<K, readonly number[]>,
    private readonly device: DeviceName,
    readonly repeated: boolean,
  ) {
    if (!repeated) return;
    this.fixed = this.each((name) => zeros(shapes[name], { device }));
    this.scalars = { learningRate: zeros([], { device }), lossScale: zeros([], { device }) };
    this.graphs = new RepeatedStep();
  }

  private each<T>(make: (name: K) => T): Record<K, T> {
    return Object.fromEntries(Object.keys(this.shapes).map((name) => [name, make(name as K)])) as Record<
      K,
      T
    >;
  }

  /** Brings the inputs of the next step to the device, beside the step that it computes. Freed by `free`. */
  upload(values: Readonly<Record<K, Float32Array>>): Record<K, Tensor> {
    const { fixed, device, shapes } = this;
    if (!fixed) return this.each((name) => tensor(values[name], shapes[name], { device }));
    for (const name of Object.keys(fixed) as K[]) fixed[name].set(values[name]);
    return fixed;
  }

  free(inputs: Record<K, Tensor>): void {
    if (!this.fixed) for (const t of Object.values<Tensor>(inputs)) t.dispose();
  }

  /**
   * @param kind what else than tensors and masks the step depends on: see RepeatedStep
   * @param forward gives the loss
   */
  run(optimizer: SGD, learningRate: number, kind: string, forward: () => Tensor): StepResult {
    const { graphs, scalars } = this;
    if (!graphs || !scalars) return scope(() => trainStep(optimizer, learningRate, forward));
    if (this.optimizer !== optimizer) graphs.dispose(); // the momenta that its graphs use are no more
    this.optimizer = optimizer;
    const { lossScale } = optimizer;
    scalars.learningRate.set(Float32Array.of(learningRate));
    scalars.lossScale?.set(Float32Array.of(lossScale?.value ?? 1));
    const used = lossScale ? scalars : { learningRate: scalars.learningRate };
    return graphs.run(kind, () => trainStep(optimizer, used, forward));
  }

  dispose(): void {
    this.graphs?.dispose();
    for (const t of Object.values<Tensor>(this.fixed ?? {})) t.dispose();
    for (const t of Object.values<Tensor>({ ...this.scalars })) t.dispose();
  }
  [Symbol.dispose](): void {
    this.dispose();
  }
}
