import { kindOf, type NumberArray, requireOptions } from "./arguments";
import { type DeviceName, type DeviceStats, type DType, deviceNames, dtypeNames, native } from "./binding";
import type { BlockMask } from "./block-mask";
import { ArgumentRangeError, ArgumentTypeError, DeviceError, ShapeError } from "./errors";
import { track } from "./scope";

export type { DeviceName, DType };

export interface TensorOptions {
  /** Default: `setDefaultDevice`, else "cpu". */
  device?: DeviceName;
  /**
   * "float64" exists on the reference device only; "bfloat16" and "float16" on CUDA only, for feature maps: values pass
   * in and out as Float32Array, rounded to the nearest. Default "float32".
   */
  dtype?: DType;
  /** Whether `Tape.backward` leaves a gradient in `.grad`. Default false. */
  requiresGrad?: boolean;
  /** Store the visible blocks only; shape must be rank 5 and divisible by the mask's grid. */
  mask?: BlockMask | undefined;
}

/**
 * @internal Values that are not written: act((source − mean) · scale + shift) at stored voxels. Ops that can apply it on
 * load read the source; for all others it is written.
 */
export interface Pending {
  readonly source: Tensor;
  /** (1 or N, 3, C): mean, scale, shift. */
  readonly affine: Tensor;
  /** Negative slope of the leaky ReLU; 1 = none. */
  readonly slope: number;
  write(): Tensor;
}

let defaultDevice: DeviceName = "cpu";

/** Device of tensors made without a `device` option. */
export function setDefaultDevice(device: DeviceName): void {
  deviceIndex(device);
  defaultDevice = device;
}

function deviceIndex(device: DeviceName): number {
  const index = deviceNames.indexOf(device);
  if (index < 0)
    throw new DeviceError(
      "ERR_VOXELSPARK_DEVICE",
      `device is '${device}', allowed are ${deviceNames.join(", ")}`,
    );
  return index;
}

/** @internal The number of an element type. @throws ArgumentRangeError */
export function dtypeIndex(dtype: DType): number {
  const index = dtypeNames.indexOf(dtype);
  if (index >= 0) return index;
  throw new ArgumentRangeError(`dtype is '${dtype}', allowed are ${dtypeNames.join(", ")}`);
}

/**
 * A tensor on a device. Rank 5 is a feature map, (N, C, D, H, W), stored as channels-last blocks of which only the
 * visible ones exist under a mask; lower ranks are plain arrays. The layout never shows: `data()` and the
 * constructors speak (N, C, D, H, W) order.
 *
 * Owned by the innermost `scope`; outside of scopes the caller disposes it. A tape may hold it longer for backward.
 */
export class Tensor implements Disposable {
  private gradient: Tensor | undefined;
  private owners = 1;
  private released = false;
  private written: Tensor | undefined;
  private statistics: { readonly sums: Tensor; readonly of: Tensor } | undefined;
  /** @internal Of all tensors made so far, which are numbered in their order. */
  static count = 0;
  /** @internal */
  readonly number = Tensor.count++;

  /** @internal Use `tensor`, `zeros`, `full` or an op. */
  constructor(
    private readonly id: number | Pending,
    readonly shape: readonly number[],
    readonly device: DeviceName,
    readonly dtype: DType,
    readonly mask: BlockMask | undefined,
    public requiresGrad = false,
  ) {
    mask?.retain();
    if (typeof id === "object") for (const t of [id.source, id.affine]) t.retain();
    track(this);
  }

  /** Gradient of the last `Tape.backward`, of the same shape; accumulates until `zeroGrad`. */
  get grad(): Tensor | undefined {
    return this.gradient;
  }
  /** An assigned gradient is held beside its owner, who may dispose it at any time. */
  set grad(gradient: Tensor | undefined) {
    gradient?.retain();
    this.gradient?.release();
    this.gradient = gradient;
  }

  /** Number of elements, masked ones included. */
  get size(): number {
    return this.shape.reduce((a, b) => a * b, 1);
  }

  /** @internal The native handle, for which pending values are written. @throws ArgumentTypeError after dispose() */
  get handle(): number {
    if (this.owners === 0)
      throw new ArgumentTypeError(
        `a tensor of shape (${this.shape.join(", ")}) is used after dispose()`,
        "ERR_VOXELSPARK_DISPOSED",
      );
    if (typeof this.id === "number") return this.id;
    this.written ??= this.write(this.id);
    return this.written.handle;
  }

  private write(pending: Pending): Tensor {
    const written = pending.write();
    written.retain(); // this tensor's own, whatever scope it is made in
    written.dispose();
    for (const t of [pending.source, pending.affine]) t.release();
    return written;
  }

  /**
   * @internal Keeps what the op that made the values left for a norm, (N, 2, C), until the values change: of a map itself
   * mean and sum of squared deviations; of the gradient of a pending map `of`, see native/ops/reduce/norm_sums.h.
   */
  leave(sums: Tensor | undefined, of: Tensor = this): void {
    sums?.retain();
    sums?.dispose(); // this tensor's own, whatever scope it was made in
    this.statistics?.sums.release();
    this.statistics = sums && { sums, of };
  }

  /** @internal What was left about `of`, if anything. */
  left(of: Tensor = this): Tensor | undefined {
    return this.statistics?.of === of ? this.statistics.sums : undefined;
  }

  /** @internal What an op reads that normalises on load. */
  get onLoad(): { source: Tensor; affine?: Tensor; slope: number } {
    return typeof this.id === "object" && !this.written && !this.isDisposed
      ? this.id
      : { source: this, slope: 1 };
  }

  get isDisposed(): boolean {
    return this.owners === 0;
  }

  /** Values in (N, C, D, H, W) order, 0 where masked; waits for the kernels before it, off the JavaScript thread. */
  data(): Promise<Float32Array | Float64Array> {
    return native.read(this.handle);
  }

  /** The value of a tensor with one element. @throws ShapeError when there are more */
  async item(): Promise<number> {
    if (this.size !== 1)
      throw new ShapeError(
        "ERR_VOXELSPARK_SHAPE",
        `item() needs one element, shape is (${this.shape.join(", ")})`,
      );
    return (await this.data())[0] as number;
  }

  /** Replaces the values; `data` in (N, C, D, H, W) order, masked positions are ignored. */
  set(data: readonly number[] | NumberArray): void {
    native.write(this.handle, valuesOf(data, this.dtype));
    this.leave(undefined);
  }

  /** Gives the gradient back. */
  zeroGrad(): void {
    this.grad = undefined;
  }

  /** @internal Whether nobody else holds it, so that it may be changed in place. */
  get isExclusive(): boolean {
    return this.owners === 1;
  }

  /** @internal One more owner, e.g. a tape that needs the values in backward. */
  retain(): void {
    this.owners++;
  }

  /** @internal */
  release(): void {
    if (--this.owners > 0) return;
    this.statistics?.sums.release();
    if (typeof this.id === "number") native.dispose(this.id);
    else for (const t of this.written ? [this.written] : [this.id.source, this.id.affine]) t.release();
    this.mask?.release();
  }

  /** Gives the memory back; a second call does nothing. */
  dispose(): void {
    if (this.released) return;
    this.released = true;
    this.zeroGrad();
    this.release();
  }
  [Symbol.dispose](): void {
    this.dispose();
  }
}

/** @internal @throws ArgumentTypeError for what is no tensor */
export function requireTensor(value: unknown, name: string): asserts value is Tensor {
  if (!(value instanceof Tensor))
    throw new ArgumentTypeError(`${name} is ${kindOf(value)}, a Tensor is needed`);
}

function create(
  shape: readonly number[],
  options: TensorOptions,
  make: (device: number, dtype: number, mask: number) => number,
): Tensor {
  requireOptions(options, "options");
  const { device = defaultDevice, dtype = "float32", mask, requiresGrad = false } = options;
  const id = make(deviceIndex(device), dtypeIndex(dtype), mask ? mask.handle : 0);
  return new Tensor(id, shape, device, dtype, mask, requiresGrad);
}

// A copy of one's own: what the caller does to the array afterwards must not reach the tensor.
function copyOfShape(shape: readonly number[]): number[] {
  if (!Array.isArray(shape)) throw new ArgumentTypeError("shape must be an array of sizes");
  return [...shape];
}

function valuesOf(data: unknown, dtype: DType): Float32Array | Float64Array {
  const wanted = dtype === "float64" ? Float64Array : Float32Array;
  const kind = Object.prototype.toString.call(data).slice(8, -1);
  if (kind === wanted.name) return data as Float32Array;
  if (ArrayBuffer.isView(data) && kind !== "DataView" && !kind.startsWith("Big"))
    return new wanted(data as Float32Array);
  if (!Array.isArray(data)) throw new ArgumentTypeError("data must be an array of numbers or a typed array");
  const wrong = data.findIndex((value) => typeof value !== "number");
  if (wrong < 0) return wanted.from(data);
  throw new ArgumentTypeError(`data[${wrong}] is a ${typeof data[wrong]}, allowed are numbers`);
}

/**
 * A tensor with the given values.
 * @param data as many values as the shape has elements, in (N, C, D, H, W) order; copied. Integers, such as labels, become
 * floating-point numbers.
 * @throws ShapeError, ArgumentTypeError, DeviceError, OutOfMemoryError
 */
export function tensor(
  data: readonly number[] | NumberArray,
  shape: readonly number[],
  options: TensorOptions = {},
): Tensor {
  const sizes = copyOfShape(shape);
  const values = valuesOf(data, requireOptions(options, "options").dtype ?? "float32");
  return create(sizes, options, (device, dtype, mask) => native.upload(device, dtype, sizes, mask, values));
}

/** A tensor whose elements are all `value`. */
export function full(shape: readonly number[], value: number, options: TensorOptions = {}): Tensor {
  const sizes = copyOfShape(shape);
  return create(sizes, options, (device, dtype, mask) => native.fill(device, dtype, sizes, mask, value));
}

/** A tensor of zeros. */
export function zeros(shape: readonly number[], options: TensorOptions = {}): Tensor {
  return full(shape, 0, options);
}

/** Resolves when every kernel launched so far has run. @throws the first error of a kernel, typed */
export function sync(): Promise<void> {
  return native.sync();
}

/** Memory of a device: the one truth about what is alive. */
export function stats(device: DeviceName = defaultDevice): DeviceStats {
  return native.stats(deviceIndex(device));
}

/** Starts a new measurement of `stats().peakBytes`. */
export function resetPeak(device: DeviceName = defaultDevice): void {
  native.configure({ resetPeak: deviceIndex(device) });
}

/** Threads of the CPU device, 1 to 1024; results do not depend on it. @throws ArgumentRangeError */
export function setThreads(threads: number): void {
  native.configure({ threads });
}

/**
 * Upper bound in bytes of the CPU's live tensors; 0 = none. Beyond it allocations throw OutOfMemoryError. At first it is
 * the memory of the machine.
 */
export function setMemoryLimit(bytes: number): void {
  native.configure({ memoryLimit: bytes });
}
