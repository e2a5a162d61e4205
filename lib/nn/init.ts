import { rng } from "../random";
import { keep } from "../scope";
import { type DeviceName, type DType, full, type Tensor, tensor } from "../tensor";

/**
 * Makes parameters. Each draws from a stream of its own, numbered in order of creation, so a network's initial
 * weights are a pure function of the seed and its structure.
 */
export class Initializer {
  private count = 0;
  private readonly made: Tensor[] = [];

  constructor(
    readonly seed: number,
    readonly device: DeviceName,
    readonly dtype: DType = "float32",
  ) {}

  /** U(−bound, bound). PyTorch's default for convolutions has bound = 1/√fan_in (kaiming uniform, a = √5). */
  uniform(shape: readonly number[], bound: number): Tensor {
    return this.parameter(shape, (out, random) => random.fillUniform(out, -bound, bound));
  }

  /** N(0, std) conditioned on |x| ≤ bound. */
  truncatedNormal(shape: readonly number[], std: number, bound: number): Tensor {
    return this.parameter(shape, (out, random) => {
      for (let i = 0; i < out.length; i++) out[i] = random.truncatedNormal(std, bound);
    });
  }

  constant(shape: readonly number[], value: number): Tensor {
    this.count++;
    return this.own(full(shape, value, { device: this.device, dtype: this.dtype, requiresGrad: true }));
  }

  /** A tensor that is saved with the model but not trained, such as running statistics. */
  buffer(shape: readonly number[], value: number): Tensor {
    return this.own(full(shape, value, { device: this.device, dtype: this.dtype }));
  }

  /** Frees every parameter made so far: for a network whose construction failed half-way. */
  dispose(): void {
    for (const t of this.made) t.dispose();
  }

  private own(t: Tensor): Tensor {
    this.made.push(keep(t));
    return t;
  }

  private parameter(
    shape: readonly number[],
    fill: (out: Float32Array, random: ReturnType<typeof rng>) => void,
  ): Tensor {
    const options = { device: this.device, dtype: this.dtype, requiresGrad: true };
    const index = this.count++;
    if (this.device === "null") return this.own(full(shape, 0, options));
    const values = new Float32Array(shape.reduce((a, b) => a * b, 1));
    fill(values, rng(this.seed, 0, "init", index));
    return this.own(tensor(values, shape, options));
  }
}
