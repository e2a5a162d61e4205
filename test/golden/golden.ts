/** Reads the golden values that generate.py writes: one JSON index and one safetensors file an op. */
import { readFileSync } from "node:fs";
import { join } from "node:path";

export interface GoldenTensor {
  readonly shape: readonly number[];
  /** (N, C, D, H, W) row-major. */
  readonly data: Float32Array;
}

export interface GoldenMask {
  readonly samples: number;
  readonly grid: [number, number, number];
  /** samples * cells, C order, 1 = visible. */
  readonly visible: Uint8Array;
}

type TensorGroup = Record<string, GoldenTensor>;

export interface GoldenCase {
  readonly op: string;
  readonly name: string;
  // biome-ignore lint/suspicious/noExplicitAny: attributes differ from op to op
  readonly attributes: Record<string, any>;
  readonly mask: GoldenMask | null;
  /** Small integers: float32 must match bit for bit. */
  readonly exact: boolean;
  readonly inputs: TensorGroup;
  readonly outputs: TensorGroup;
  /** Gradient that arrives at each output. */
  readonly upstream: TensorGroup;
  /** Gradient that must leave at each input. */
  readonly grads: TensorGroup;
}

interface MaskEntry {
  samples: number;
  grid: [number, number, number];
  visible: string;
}

type Names = Record<string, string>;
type Groups = Record<"inputs" | "outputs" | "upstream" | "grads", Names>;
export type CaseEntry = Groups & {
  op: string;
  name: string;
  file: string;
  attributes: Record<string, unknown>;
  mask: MaskEntry | null;
  exact?: boolean;
};

/** Every float32 tensor of a safetensors file, copied so that the data is aligned. */
export function readGoldenFile(path: string): Map<string, GoldenTensor> {
  const bytes = readFileSync(path);
  const headerSize = Number(bytes.readBigUInt64LE(0));
  const header = JSON.parse(bytes.toString("utf8", 8, 8 + headerSize));
  const tensors = new Map<string, GoldenTensor>();
  for (const [name, entry] of Object.entries<{
    dtype: string;
    shape: number[];
    data_offsets: [number, number];
  }>(header)) {
    if (name === "__metadata__") continue;
    if (entry.dtype !== "F32") throw new Error(`${path}: ${name} is ${entry.dtype}, golden tensors are F32`);
    const [start, end] = entry.data_offsets;
    const data = new Float32Array(
      new Uint8Array(bytes.subarray(8 + headerSize + start, 8 + headerSize + end)).buffer,
    );
    tensors.set(name, { shape: entry.shape, data });
  }
  return tensors;
}

export function decodeMask(entry: MaskEntry): GoldenMask {
  return { ...entry, visible: Uint8Array.from(entry.visible, Number) };
}

export function readGoldenIndex(index: string): { cases: CaseEntry[] } & Record<string, unknown> {
  return JSON.parse(readFileSync(join(__dirname, index), "utf8"));
}

/** The cases of one op, tensors included: `for (const c of goldenCases("conv3d")) …`. */
export function goldenCases(op: string): GoldenCase[] {
  const entries = readGoldenIndex("ops.json").cases.filter((c) => c.op === op);
  const file = entries[0]?.file;
  if (file === undefined) throw new Error(`ops.json has no golden case of ${op}`);
  const tensors = readGoldenFile(join(__dirname, file));
  return entries.map((entry) => {
    const group = (names: Names) =>
      Object.fromEntries(Object.entries(names).map(([key, name]) => [key, pick(tensors, name)]));
    const { attributes, name, mask } = entry;
    return {
      op,
      name,
      attributes,
      mask: mask ? decodeMask(mask) : null,
      exact: entry.exact === true,
      inputs: group(entry.inputs),
      outputs: group(entry.outputs),
      upstream: group(entry.upstream),
      grads: group(entry.grads),
    };
  });
}

export function pick(tensors: Map<string, GoldenTensor>, name: string): GoldenTensor {
  const tensor = tensors.get(name);
  if (!tensor) throw new Error(`golden tensor ${name} is missing`);
  return tensor;
}

export interface GoldenS3D {
  readonly name: string;
  /** Fields of the model, under the names of the TypeScript plan. */
  // biome-ignore lint/suspicious/noExplicitAny: read by tests that know the fields
  readonly entry: Record<string, any>;
  /** state.*, activation.*, grad.*, after.*, final.* */
  readonly tensors: Map<string, GoldenTensor>;
}

/** One small S3D: 'instance', 'batch', …, or the training curves 'curve_instance' and 'curve_batch'. */
export function goldenS3D(name: string): GoldenS3D {
  const entry = readGoldenIndex("s3d.json").cases.find((c) => c.name === name);
  if (!entry) throw new Error(`s3d.json has no case ${name}`);
  return { name, entry, tensors: readGoldenFile(join(__dirname, entry.file)) };
}

/** The curve of fine-tuning. */
export function goldenFinetune(): GoldenS3D {
  const entry = readGoldenIndex("finetune.json").cases[0]!;
  return { name: entry.name, entry, tensors: readGoldenFile(join(__dirname, entry.file)) };
}
