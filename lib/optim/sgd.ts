import { kindOf, requireOptions } from "../arguments";
import type { Tape } from "../autograd";
import { ArgumentRangeError, ArgumentTypeError, CheckpointError } from "../errors";
import { gradNorm } from "../ops/grad-norm";
import { sgd } from "../ops/sgd";
import { keep, scope } from "../scope";
import { full, type Tensor, zeros } from "../tensor";
import type { LossScale } from "./loss-scale";

export interface SGDOptions {
  /** In [0, 1). Default 0. */
  momentum?: number;
  /** Default 0. */
  weightDecay?: number;
  /** Default false. */
  nesterov?: boolean;
  /** Largest L2 norm of all gradients together; 0 = no clipping. Default 0. */
  clip?: number;
  /** Multiplies the loss before `backward` and divides the gradients in `step`; whoever reads the norm updates it. */
  lossScale?: LossScale | undefined;
}

/** What changes from step to step, one element each on the device, where a recorded step reads what it is then. */
export interface StepScalars {
  learningRate: Tensor;
  /** Where the optimiser has a loss scale. */
  lossScale?: Tensor | undefined;
}

/**
 * Stochastic gradient descent with momentum, as torch.optim.SGD after clip_grad_norm_. Owns the momentum buffers until
 * `dispose`; parameters belong to their modules.
 */
export class SGD implements Disposable {
  private readonly parameters: Map<string, Tensor>;
  private readonly momenta = new Map<string, Tensor>();
  private readonly options: Required<Omit<SGDOptions, "lossScale">>;
  readonly lossScale: LossScale | undefined;

  /** @throws ArgumentRangeError, ArgumentTypeError for an option; OutOfMemoryError */
  constructor(parameters: Iterable<[string, Tensor]>, options: SGDOptions = {}) {
    requireOptions(options, "SGD: options");
    const { momentum = 0, weightDecay = 0, nesterov = false, clip = 0, lossScale } = options;
    this.lossScale = lossScale;
    this.parameters = new Map(parameters);
    this.options = { momentum, weightDecay, nesterov, clip };
    requireSettings(this.options);
    if (momentum === 0) return;
    try {
      for (const [name, p] of this.parameters) this.momenta.set(name, keep(zeros(p.shape, placed(p))));
    } catch (error) {
      this.dispose(); // out of memory: nobody holds a half-made optimiser
      throw error;
    }
  }

  /** Leaves the gradients of the loss, times the loss scale if there is one, with the parameters. */
  backward(tape: Tape, loss: Tensor, scalars?: StepScalars): void {
    const made = scalars ? undefined : this.lossScale;
    using seed = made && full(loss.shape, made.value, placed(loss));
    tape.backward(loss, scalars ? scalars.lossScale : seed);
  }

  /**
   * One step on every parameter that has a gradient; the others stay as they are, weight decay included.
   * @param rate learning rate of this step; scalars on the device where the step is to be repeated
   * @returns the norm of the gradients before clipping and without the loss scale, a scalar on the device. Where it is
   * not finite nothing was changed.
   */
  step(rate: number | StepScalars): Tensor {
    return scope(() => {
      const live = [...this.parameters].filter(([, p]) => p.grad);
      const tensors = live.map(([, p]) => p);
      const gradients = tensors.map((p) => p.grad as Tensor);
      const first = this.parameters.values().next().value;
      if (gradients.length === 0) return full([], 0, first ? placed(first) : {});
      const fixed = typeof rate === "number";
      const gradientScale = fixed ? (this.lossScale?.value ?? 1) : (rate.lossScale ?? 1);
      const norm = gradNorm(gradients, gradientScale);
      const momenta = live.flatMap(([name]) => this.momenta.get(name) ?? []);
      sgd(tensors, gradients, momenta, norm, {
        lr: fixed ? rate : rate.learningRate,
        gradientScale,
        ...this.options,
      });
      return norm;
    });
  }

  /** Gives the gradients of all parameters back. */
  zeroGrad(): void {
    for (const p of this.parameters.values()) p.zeroGrad();
  }

  /** Momentum buffers by parameter name; empty without momentum. Live tensors, not copies. */
  state(): Map<string, Tensor> {
    return new Map(this.momenta);
  }

  /**
   * Sets the momentum buffers.
   * @param state values in (N, C, D, H, W) order by parameter name, as many as there are buffers
   * @throws CheckpointError when a buffer is missing, unknown or of another size; nothing is changed then
   */
  load(state: ReadonlyMap<string, Float32Array | Float64Array>): void {
    for (const name of state.keys())
      if (!this.momenta.has(name)) throw refused(`'${name}' is no parameter with momentum`);
    for (const [name, buffer] of this.momenta) {
      const found = state.get(name)?.length;
      if (found !== buffer.size)
        throw refused(`'${name}' has ${found ?? "no"} momentum values, allowed are ${buffer.size}`);
    }
    for (const [name, values] of state) this.momenta.get(name)?.set(values);
  }

  /** Frees the momentum buffers. */
  dispose(): void {
    for (const m of this.momenta.values()) m.dispose();
    this.momenta.clear();
  }
  [Symbol.dispose](): void {
    this.dispose();
  }
}

/** What the first step would refuse, when whoever wrote it is still there. */
function requireSettings({ momentum, weightDecay, nesterov, clip }: Required<Omit<SGDOptions, "lossScale">>) {
  requireNumber(momentum, "momentum", momentum < 1, "[0, 1)");
  requireNumber(weightDecay, "weightDecay", weightDecay < Number.POSITIVE_INFINITY, "[0, inf)");
  requireNumber(clip, "clip", clip < Number.POSITIVE_INFINITY, "[0, inf), 0 = none");
  if (typeof nesterov !== "boolean")
    throw new ArgumentTypeError(`SGD: nesterov is ${kindOf(nesterov)}, a boolean is needed`);
  if (nesterov && momentum === 0)
    throw new ArgumentRangeError("SGD: nesterov needs a momentum above 0, found 0");
}

function requireNumber(value: unknown, name: string, belowMost: boolean, range: string): void {
  if (typeof value !== "number")
    throw new ArgumentTypeError(`SGD: ${name} is ${kindOf(value)}, a number is needed`);
  if (!(value >= 0 && belowMost))
    throw new ArgumentRangeError(`SGD: ${name} is ${value}, allowed is ${range}`);
}

const placed = ({ device, dtype }: Tensor) => ({ device, dtype });

const refused = (what: string) =>
  new CheckpointError("ERR_VOXELSPARK_CHECKPOINT", `optimizer state: ${what}`);
