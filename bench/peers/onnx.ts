/**
 * Convolution by onnxruntime-node, where somebody installed it (`npm install --no-save onnxruntime-node`); it is no
 * dependency of ours. A model of one Conv node is written by hand: the protocol buffer of ONNX needs three kinds of
 * fields here.
 */
import type { Contestant } from "../harness";

export interface OnnxConvolution {
  channels: readonly [number, number];
  /** Edge of the input volume. */
  edge: number;
  kernel: number;
  stride: number;
}

interface Runtime {
  InferenceSession: {
    create(
      model: Uint8Array,
      options: object,
    ): Promise<{ run(feeds: object): Promise<object>; release(): Promise<void> }>;
  };
  Tensor: new (type: "float32", data: Float32Array, shape: readonly number[]) => object;
}

/** The runtime, or undefined where it is not installed. */
export async function findOnnxRuntime(): Promise<Runtime | undefined> {
  const name = "onnxruntime-node";
  try {
    const module = (await import(name)) as Runtime & { default?: Runtime }; // CommonJS, seen with or without interop
    return module.default ?? module;
  } catch (error) {
    if (/_MODULE_NOT_FOUND$/.test((error as NodeJS.ErrnoException).code ?? "")) return undefined;
    throw error;
  }
}

const varint = (value: number): number[] =>
  value < 128 ? [value] : [(value % 128) + 128, ...varint(Math.floor(value / 128))];
const number = (field: number, value: number) => Buffer.from([...varint(field * 8), ...varint(value)]);
const bytes = (field: number, value: Uint8Array | string) => {
  const content = Buffer.from(value as string);
  return Buffer.concat([Buffer.from([...varint(field * 8 + 2), ...varint(content.length)]), content]);
};
const message = (field: number, ...parts: Uint8Array[]) => bytes(field, Buffer.concat(parts));

const FLOAT = 1;
const INTS = 7;
const initializer = (name: string, dims: readonly number[], values: Float32Array) =>
  message(
    5,
    ...dims.map((d) => number(1, d)),
    number(2, FLOAT),
    bytes(8, name),
    bytes(9, Buffer.from(values.buffer)),
  );
const ints = (name: string, values: readonly number[]) =>
  message(5, bytes(1, name), ...values.map((v) => number(8, v)), number(20, INTS));
const tensorInfo = (field: number, name: string, dims: readonly number[]) =>
  message(
    field,
    bytes(1, name),
    message(2, message(1, number(1, FLOAT), message(2, ...dims.map((d) => message(1, number(1, d)))))),
  );

/** ModelProto of y = conv(x, w) + b with "same" padding; fields by their numbers in onnx.proto. */
function model({ channels: [c, k], edge, kernel, stride }: OnnxConvolution, weight: Float32Array): Buffer {
  const cube = (n: number) => [n, n, n];
  const pads = [...cube((kernel - 1) / 2), ...cube((kernel - 1) / 2)];
  const node = message(
    1,
    ...["x", "w", "b"].map((name) => bytes(1, name)),
    bytes(2, "y"),
    bytes(4, "Conv"),
    ints("kernel_shape", cube(kernel)),
    ints("strides", cube(stride)),
    ints("pads", pads),
  );
  const graph = message(
    7,
    node,
    bytes(2, "convolution"),
    initializer("w", [k, c, ...cube(kernel)], weight),
    initializer("b", [k], new Float32Array(k)),
    tensorInfo(11, "x", [1, c, ...cube(edge)]),
    tensorInfo(12, "y", [1, k, ...cube(edge / stride)]),
  );
  return Buffer.concat([number(1, 8), graph, message(8, bytes(1, ""), number(2, 17))]);
}

/** A contestant and what frees it. */
export async function onnxConvolution(runtime: Runtime, layer: OnnxConvolution, threads: number) {
  const { channels, edge, kernel } = layer;
  const weight = new Float32Array(channels[0] * channels[1] * kernel ** 3).fill(0.01);
  const session = await runtime.InferenceSession.create(model(layer, weight), {
    intraOpNumThreads: threads,
    graphOptimizationLevel: "all",
  });
  const values = Float32Array.from({ length: channels[0] * edge ** 3 }, (_, i) => Math.sin(i));
  const x = new runtime.Tensor("float32", values, [1, channels[0], edge, edge, edge]);
  const contestant: Contestant = {
    name: "onnxruntime-node",
    run: async () => {
      const start = performance.now();
      await session.run({ x });
      return (performance.now() - start) / 1000;
    },
  };
  return { contestant, free: () => session.release() };
}
