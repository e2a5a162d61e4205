import { NonFiniteError } from "../errors";

/** Updates that may be skipped in a row because the gradient was not finite. */
const MOST = 20;

/** Ends a run whose gradients stay without finite values; the update of a single one is skipped (optim/sgd.ts). */
export class FiniteGradients {
  private skipped = 0;

  /** @throws NonFiniteError after 20 steps in a row without a finite gradient */
  check(gradientNorm: number, step: number, learningRate: number): void {
    this.skipped = Number.isFinite(gradientNorm) ? 0 : this.skipped + 1;
    if (this.skipped < MOST) return;
    throw new NonFiniteError(
      "ERR_VOXELSPARK_NON_FINITE",
      `the gradient was not finite for ${MOST} steps up to step ${step}; ` +
        `lower the learning rate (${learningRate}) or look at the data`,
    );
  }
}
