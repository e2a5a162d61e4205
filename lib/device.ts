import { type BuildInfo, type DeviceName, type DType, native } from "./binding";
import { DeviceError } from "./errors";

/** The devices that training runs on. */
export type ComputeDevice = "cpu" | "cuda";

export interface DeviceChoice {
  device: ComputeDevice;
  /** Why this one, as a sentence to show to the user. */
  reason: string;
}

/** How the native code was built and what it found on this machine. */
export function info(): BuildInfo {
  return native.info();
}

/**
 * The device to run on. A wish for "cuda" is fulfilled or refused, never turned into the CPU.
 * @param asked "auto", "cpu" or "cuda"; left out: the environment variable VOXELSPARK_DEVICE, else "auto", which is
 * CUDA where a GPU can be used and the CUDA backend has every kernel
 * @throws DeviceError with reason and cure when CUDA is asked for and cannot be used
 */
export function resolveDevice(asked?: string): DeviceChoice {
  const wish = asked ?? (process.env.VOXELSPARK_DEVICE || "auto");
  const { isa, threads, cuda } = info();
  const cpu = `${threads} thread${threads === 1 ? "" : "s"}, ${isa}`;
  if (wish === "cpu") return { device: "cpu", reason: `cpu (${cpu}), as asked for` };
  if (wish === "cuda") {
    if (cuda.deviceCount) return { device: "cuda", reason: `cuda (${cuda.devices[0]}), as asked for` };
    throw new DeviceError(
      "ERR_VOXELSPARK_DEVICE",
      `device 'cuda' cannot be used: ${cuda.reason}; device 'cpu' works`,
    );
  }
  if (wish !== "auto") {
    const what = asked === undefined ? "VOXELSPARK_DEVICE" : "device";
    throw new DeviceError("ERR_VOXELSPARK_DEVICE", `${what} is '${wish}', allowed are auto, cpu and cuda`);
  }
  const why = cuda.deviceCount ? lacking(cuda.missingKernels) : cuda.reason;
  if (why) return { device: "cpu", reason: `cpu (${cpu}), since cuda cannot be used: ${why}` };
  return { device: "cuda", reason: `cuda (${cuda.devices[0]})` };
}

/** How feature maps and their gradients are stored; parameters, sums, statistics and losses are float32 always. */
export const precisions = ["fp32", "bf16", "fp16"] as const;
export type Precision = (typeof precisions)[number];

const featureTypes = { fp32: "float32", bf16: "bfloat16", fp16: "float16" } as const;

/**
 * The element type of a network's feature maps.
 * @throws DeviceError when the device does not have it
 */
export function featureType(precision: Precision, device: DeviceName): DType {
  if (precision === "fp32" || device === "cuda" || device === "null") return featureTypes[precision];
  throw new DeviceError(
    "ERR_VOXELSPARK_DEVICE",
    `precision ${precision} needs device 'cuda', the device is '${device}'; allowed there is fp32`,
  );
}

/** The precision in which a network trained in another one is used: its own, or fp32 where the device lacks that. */
export const precisionOn = (device: DeviceName, trained: Precision): Precision =>
  device === "cuda" ? trained : "fp32";

function lacking(kernels: readonly string[]): string {
  if (!kernels.length) return "";
  return `its backend has no kernel ${kernels.slice(0, 3).join(", ")}${kernels.length > 3 ? " and others" : ""} yet`;
}
