/// <reference lib="esnext.disposable" preserve="true" />
export { Tape } from "./autograd";
export type { BuildInfo, DeviceStats } from "./binding";
export { BlockMask, type BlockMaskOptions } from "./block-mask";
export { type ComputeDevice, type DeviceChoice, info, resolveDevice } from "./device";
export * from "./errors";
export { add } from "./ops/add";
export { applyMask } from "./ops/apply-mask";
export { avgPool3d } from "./ops/avg-pool3d";
export { concat } from "./ops/concat";
export { convTranspose3d } from "./ops/conv-transpose3d";
export { type Conv3dOptions, conv3d, type Triple } from "./ops/conv3d";
export { densify } from "./ops/densify";
export { gradNorm } from "./ops/grad-norm";
export { leakyRelu } from "./ops/leaky-relu";
export { maskedMse } from "./ops/masked-mse";
export { type MaskedNormOptions, maskedNorm } from "./ops/masked-norm";
export { SGD, type SGDOptions } from "./optim/sgd";
export { keep, scope } from "./scope";
export {
  type DeviceName,
  type DType,
  full,
  resetPeak,
  setDefaultDevice,
  setMemoryLimit,
  setThreads,
  stats,
  sync,
  Tensor,
  type TensorOptions,
  tensor,
  zeros,
} from "./tensor";
