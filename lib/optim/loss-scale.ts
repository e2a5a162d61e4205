import { CheckpointError } from "../errors";

/** What a checkpoint keeps of a loss scale. */
export interface LossScaleState {
  readonly scale: number;
  /** Steps with a finite gradient since the scale last changed. */
  readonly goodSteps: number;
}

const INITIAL = 65536;
const GROWTH = { factor: 2, after: 2000 };
const BACKOFF = 0.5;

/**
 * The factor of the loss that keeps gradients in the range of float16, whose smallest number is 6e-8: it doubles after
 * 2000 steps in a row with a finite gradient and halves after each other one, which is skipped (as PyTorch's GradScaler).
 * A power of two, so that gradients that neither vanish nor overflow are the same bits with it and without.
 */
export class LossScale {
  private scale = INITIAL;
  private goodSteps = 0;

  get value(): number {
    return this.scale;
  }

  /** @param finite whether the step's gradient was */
  update(finite: boolean): void {
    this.goodSteps = finite ? this.goodSteps + 1 : 0;
    if (!finite) this.scale *= BACKOFF;
    if (this.goodSteps < GROWTH.after) return;
    this.scale *= GROWTH.factor;
    this.goodSteps = 0;
  }

  /** What `load` takes back. */
  state(): LossScaleState {
    const { scale, goodSteps } = this;
    return { scale, goodSteps };
  }

  /** @throws CheckpointError when it is no state of a loss scale */
  load(state: unknown): void {
    const { scale, goodSteps } = (state ?? {}) as Partial<LossScaleState>;
    if (typeof scale !== "number" || !(scale > 0) || !Number.isInteger(goodSteps))
      throw new CheckpointError(
        "ERR_VOXELSPARK_CHECKPOINT",
        `the loss scale is ${JSON.stringify(state) ?? "missing"}, allowed is a scale above 0 and its number of good steps`,
      );
    this.scale = scale;
    this.goodSteps = goodSteps as number;
  }
}
