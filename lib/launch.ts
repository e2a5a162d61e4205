import { type DType, dtypeNames, native } from "./binding";
import { BlockMask } from "./block-mask";
import { type KernelAttributes, kernelIds } from "./schema.gen";
import { requireTensor, Tensor } from "./tensor";

let watcher: ((used: Tensor | BlockMask) => void) | undefined;

/** @internal Tells of every tensor and mask that kernels launched by `body` use. */
export function watchLaunches<T>(watch: (used: Tensor | BlockMask) => void, body: () => T): T {
  const outer = watcher;
  watcher = watch;
  try {
    return body();
  } finally {
    watcher = outer;
  }
}

/**
 * Queues a kernel of native/ops/ops.def and returns its outputs. Types, shapes and memory are checked here and now;
 * the arithmetic runs later, in order. Ops wrap this with documentation and a backward rule.
 *
 * @param inputs in the order of ops.def, undefined for absent optional ones
 */
export function launch<K extends keyof KernelAttributes>(
  kernel: K,
  inputs: readonly (Tensor | undefined)[],
  attributes: KernelAttributes[K],
): Tensor[] {
  const mask = (attributes as { mask?: BlockMask }).mask ?? inputs.find((t) => t?.mask)?.mask;
  const values: Record<string, unknown> = { ...attributes };
  for (const [name, value] of Object.entries(attributes as Record<string, unknown>))
    if (value instanceof BlockMask) values[name] = value.handle;
  for (const [i, t] of inputs.entries()) if (t !== undefined) requireTensor(t, `${kernel}: input ${i}`);
  if (watcher) for (const used of [mask, ...inputs]) if (used) watcher(used);
  const outputs = native.launch(
    kernelIds[kernel],
    inputs.map((t) => t?.handle ?? 0),
    values,
  );
  const { device } = inputs.find((t) => t !== undefined) as Tensor;
  const dtypeOf = ({ dtype }: { dtype: number }) => dtypeNames[dtype] as DType;
  return outputs.map((o) => new Tensor(o.handle, o.shape, device, dtypeOf(o), o.masked ? mask : undefined));
}
