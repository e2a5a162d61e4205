import { maskedNorm } from "../ops/masked-norm";
import type { Tensor } from "../tensor";
import type { Initializer } from "./init";
import { Module } from "./module";

export type NormKind = "instance" | "batch";

/**
 * Affine norm over the visible voxels, followed by LeakyReLU(slope) unless slope is 1. Batch norm keeps running
 * statistics (momentum 0.1) and uses them in evaluation. With `fusion` the next op computes the values, on load.
 */
export class MaskedNorm extends Module {
  readonly parts: {
    weight: Tensor;
    bias: Tensor;
    running_mean?: Tensor | undefined;
    running_var?: Tensor | undefined;
  };

  constructor(
    init: Initializer,
    channels: number,
    readonly kind: NormKind,
    private readonly slope: number,
    private readonly fusion = false,
  ) {
    super();
    const batch = kind === "batch";
    this.parts = {
      weight: init.constant([channels], 1),
      bias: init.constant([channels], 0),
      running_mean: batch ? init.buffer([channels], 0) : undefined,
      running_var: batch ? init.buffer([channels], 1) : undefined,
    };
  }

  /** @param x (N, C, D, H, W), dense or masked @returns the same shape and mask */
  forward(x: Tensor): Tensor {
    const training = this.training || this.kind === "instance"; // instance norm has nothing to remember
    const { weight, bias, running_mean: mean, running_var: variance } = this.parts;
    const running = mean && variance ? { mean, variance, momentum: 0.1 } : undefined;
    const { kind, slope, fusion: pending } = this;
    return maskedNorm(x, weight, bias, { kind, slope, running, training, pending });
  }
}
