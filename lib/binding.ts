/**
 * The only file that finds, loads and calls the native addon. Native failures arrive as plain errors with a
 * `code`; `rethrow` gives them the classes of errors.ts, so that `instanceof` works in every realm.
 */
import { existsSync } from "node:fs";
import { totalmem } from "node:os";
import { join } from "node:path";
import {
  ArgumentRangeError,
  ArgumentTypeError,
  DataError,
  DeviceError,
  type ErrorCode,
  NativeLoadError,
  OutOfMemoryError,
  ShapeError,
  VoxelsparkError,
} from "./errors";

/** Names and numbers of the devices; the order is that of `DeviceKind` in native/device/backend.h. */
export const deviceNames = ["cpu", "reference", "null", "cuda"] as const;
export type DeviceName = (typeof deviceNames)[number];

/** Element types; the order is that of `DType` in native/core/dtype.h. */
export const dtypeNames = ["float32", "float64", "bfloat16", "float16"] as const;
export type DType = (typeof dtypeNames)[number];

export interface LaunchOutput {
  handle: number;
  shape: number[];
  masked: boolean;
  /** Index into `dtypeNames`. */
  dtype: number;
}

export interface DeviceStats {
  /** Bytes of tensors that exist now, rounded up to the pool's size classes. */
  liveBytes: number;
  /** Bytes that the pool keeps for reuse. */
  cachedBytes: number;
  /** Highest `liveBytes` since the last reset. */
  peakBytes: number;
  liveTensors: number;
  liveMasks: number;
}

export interface KernelSchema {
  name: string;
  inputs: string;
  outputs: string;
  attributes: Record<string, { type: string; default: string }>;
}

export interface BuildInfo {
  isa: string;
  bestIsa: string;
  threads: number;
  compiler: string;
  cuda: {
    built: boolean;
    deviceCount: number;
    /** Why deviceCount is 0, and what to do about it; empty otherwise. */
    reason: string;
    devices: string[];
    /** Kernels of the registry that the CUDA backend does not have; all of them when it was not built. */
    missingKernels: string[];
  };
}

interface NativeAddon {
  createGrid(samples: number, grid: readonly number[], visible: Uint8Array): number;
  /** Moves the visible cells of a mask, in the order of launches; every sample keeps their number. */
  writeGrid(mask: number, visible: Uint8Array): void;
  disposeGrid(mask: number): void;
  upload(
    device: number,
    dtype: number,
    shape: readonly number[],
    mask: number,
    data: Float32Array | Float64Array,
  ): number;
  fill(device: number, dtype: number, shape: readonly number[], mask: number, value: number): number;
  dispose(handle: number): void;
  read(handle: number): Promise<Float32Array | Float64Array>;
  write(handle: number, data: Float32Array | Float64Array): void;
  sync(): Promise<void>;
  /** CUDA: what is launched from here on uses the memory of steps and, if recorded, becomes a graph instead of running. */
  beginStep(recorded: boolean): void;
  /** @returns the handle of a recorded step; 0 without one, or when it is dropped */
  endStep(dropped: boolean): number;
  launchStep(step: number): void;
  disposeStep(step: number): void;
  launch(kernel: number, inputs: readonly number[], attributes: object): LaunchOutput[];
  /** JSON of a KernelSchema[]. */
  schema(): string;
  stats(device: number): DeviceStats;
  configure(options: {
    threads?: number;
    isa?: string;
    memoryLimit?: number;
    cudaLibrary?: string;
    resetPeak?: number;
    /** The device that the null device stands for: whose scratch memory it counts. */
    nullCounts?: number;
  }): void;
  info(): BuildInfo;
  /** Queues multiply-adds in registers on every thread, the yardstick of benchmarks; their number of operations. */
  multiplyAdd(rounds: number): number;
}

/** Root of the package, from lib/ in a checkout as from dist/ once built. */
const packageRoot = join(__dirname, "..");

/**
 * OpenMP threads that wait for work spin for about 0.1 ms, then sleep. libgomp's default of many milliseconds ruins
 * everyone's speed where cores are shared (measured here: 4 times), and it reads the setting when it is loaded.
 */
const SPIN_COUNT = "2000";

function load(): NativeAddon {
  process.env.GOMP_SPINCOUNT ??= SPIN_COUNT;
  const file = join(packageRoot, "build", "Release", "voxelspark.node");
  let addon: NativeAddon;
  try {
    addon = require(file) as NativeAddon;
  } catch (cause) {
    throw new NativeLoadError(
      "ERR_VOXELSPARK_NATIVE_LOAD",
      `The native addon could not be loaded from ${file}: ${(cause as Error).message.split("\n")[0]}\n` +
        "Possible solutions: run `npm rebuild voxelspark --foreground-scripts` (needs g++, make and python3); " +
        "if packages were installed with --ignore-scripts, the addon was never built.",
      { cause },
    );
  }
  // Tests put an emulated backend in the place of the real one.
  const built = join(packageRoot, "build-cuda", "Release", "voxelspark_cuda.so");
  const cuda = process.env.VOXELSPARK_CUDA_LIBRARY || built;
  if (existsSync(cuda)) addon.configure({ cudaLibrary: cuda });
  // Linux grants memory that it does not have and kills who uses it: a request beyond the machine's is refused here.
  addon.configure({
    memoryLimit: Math.min(totalmem(), process.constrainedMemory() || Number.POSITIVE_INFINITY),
  });
  requireIsa(process.env.VOXELSPARK_ISA);
  return addon;
}

/** The addon itself takes what it knows and ignores the rest. */
function requireIsa(wish: string | undefined): void {
  if (!wish || ["scalar", "avx2", "avx512"].includes(wish)) return;
  throw new ArgumentRangeError(`VOXELSPARK_ISA is '${wish}', allowed are scalar, avx2 and avx512`);
}

function rethrow(error: unknown): never {
  const { code, message } = error as { code?: ErrorCode; message: string };
  switch (code) {
    case "ERR_VOXELSPARK_TYPE":
    case "ERR_VOXELSPARK_DISPOSED":
      throw new ArgumentTypeError(message, code);
    case "ERR_VOXELSPARK_RANGE":
      throw new ArgumentRangeError(message, code);
    case "ERR_VOXELSPARK_SHAPE":
      throw new ShapeError(code, message);
    case "ERR_VOXELSPARK_DEVICE":
      throw new DeviceError(code, message);
    case "ERR_VOXELSPARK_OUT_OF_MEMORY":
      throw new OutOfMemoryError(code, message);
    case "ERR_VOXELSPARK_DATA":
      throw new DataError(code, message);
    case undefined:
      throw error;
    default:
      throw new VoxelsparkError(code, message, { cause: error });
  }
}

/** The addon's functions with typed errors, synchronous and asynchronous alike. */
function typed(addon: NativeAddon): NativeAddon {
  const wrap = (call: (...args: unknown[]) => unknown) => {
    return (...args: unknown[]) => {
      try {
        const result = call(...args);
        return isPromise(result) ? result.catch(rethrow) : result;
      } catch (error) {
        return rethrow(error);
      }
    };
  };
  const names = Object.getOwnPropertyNames(addon) as (keyof NativeAddon)[]; // none of them is enumerable
  return Object.fromEntries(names.map((name) => [name, wrap(addon[name].bind(addon) as never)])) as never;
}

/** Of any realm. */
function isPromise(value: unknown): value is Promise<unknown> {
  return typeof (value as Promise<unknown> | undefined)?.then === "function";
}

export const native: NativeAddon = typed(load());
