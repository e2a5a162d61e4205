import { rng } from "../random";
import { keep } from "../scope";
import { type DeviceName, type DType, full, type Tensor, tensor } from "../tensor";

/**
 * How weights of convolutions start: "pytorch" draws weight and bias from U(±1/√fan_in) (kaiming uniform, a = √5),
 * "he" weights from N(0, 2/((1 + 0.01²) fan_in)) and sets biases to 0, as nnU-Net does for LeakyReLU.
 */
export type InitScheme = "pytorch" | "he";

const HE_GAIN = Math.sqrt(2 / (1 + 0.01 ** 2));

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
    readonly scheme: InitScheme = "pytorch",
  ) {}

  /** Weight of a convolution. */
  weight(shape: readonly number[], fanIn: number): Tensor {
    const bound = 1 / Math.sqrt(fanIn);
    if (this.scheme === "pytorch") return this.uniform(shape, bound);
    return this.parameter(shape, (out, random) => random.fillNormal(out, 0, HE_GAIN * bound));
  }

  /** Bias of a convolution. */
  bias(shape: readonly number[], fanIn: number): Tensor {
    return this.scheme === "pytorch" ? this.uniform(shape, 1 / Math.sqrt(fanIn)) : this.constant(shape, 0);
  }

  /** U(−bound, bound). */
  uniform(shape: readonly number[], bound: number): Tensor {
    return this.parameter(shape, (out, random) => random.fillUniform(out, -bound, bound));
  }

  /** N(0, std) conditioned on |x| ≤ bound. */
  truncatedNormal(shape: readonly number[], std: number, bound: number): Tensor {
    return this.parameter(shape, (out, random) => {
      for (let i = 0; i < out.length; i++) out[i] = random.truncatedNormal(std, bound);
    });
  }

  /** A trained tensor that starts with one value everywhere, such as the weight of a norm. */
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
