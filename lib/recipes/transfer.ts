import type { SafetensorsFile } from "../checkpoints/safetensors";
import { CheckpointError } from "../errors";
import type { ResEncUNet } from "../models/resenc-unet";
import { groupOf } from "./segmenter";

/** What became of every tensor of the network and of the pre-trained weights. */
export interface TransferReport {
  /** Taken as they are. */
  loaded: string[];
  /** The stem's weight for more channels than it was trained with: repeated, and divided by how often. */
  adapted: { name: string; from: number[]; to: number[] }[];
  /** Of the network, left at their initial values. */
  reinitialised: string[];
  /** Of the file, left out on purpose. */
  skipped: { name: string; why: string }[];
  /** Of the file, known to neither pre-training nor this network. */
  unexpected: string[];
}

const STEM = "encoder.stem.convs.0.conv.weight";
const dims = (shape: readonly number[]) => `[${shape.join(", ")}]`;

/**
 * Copies pre-trained weights into a network of the same architecture (method.md §7.2): encoder with stem, and the
 * decoder if asked for; never heads, mask tokens or densify convolutions, which reconstruct. A stem for C times as many
 * channels gets the trained one repeated C times, divided by C, so that equal channels give the trained response.
 * @throws CheckpointError that names the tensors, when they are not those of this architecture; nothing is changed then
 */
export async function transferWeights(
  model: ResEncUNet,
  weights: SafetensorsFile,
  transfer: "encoder" | "encoder+decoder",
): Promise<TransferReport> {
  const target = model.state();
  const isTaken = (name: string) => transfer.split("+").includes(groupOf(name));
  const taken = [...target].filter(([name]) => isTaken(name));
  const fates = new Map(taken.map(([name, { shape }]) => [name, fateOf(name, shape, weights)]));
  const strangers = weights.tensors.filter(({ name }) => isTaken(name) && !target.has(name));
  requireFit(weights, [
    ...[...fates.values()].filter((fate) => fate !== "loaded" && fate !== "adapted"),
    ...strangers.map(({ name, shape }) => `unexpected ${name} ${dims(shape)}`),
  ]);
  for (const [name, t] of taken)
    t.set(spread(await weights.readFloat32(name), weights.entry(name).shape, t.shape));
  const left = weights.tensors.filter(({ name }) => !isTaken(name)).map(({ name }) => name);
  return {
    loaded: taken.flatMap(([name]) => (fates.get(name) === "loaded" ? [name] : [])),
    adapted: taken
      .filter(([name]) => fates.get(name) === "adapted")
      .map(([name, { shape }]) => ({ name, from: [...weights.entry(name).shape], to: [...shape] })),
    reinitialised: [...target.keys()].filter((name) => !isTaken(name)),
    skipped: left.flatMap((name) => {
      const why = reason(name);
      return why === undefined ? [] : [{ name, why }];
    }),
    unexpected: left.filter((name) => reason(name) === undefined),
  };
}

/** What becomes of a tensor of the network that is to be taken: "loaded", "adapted", or why it cannot be. */
function fateOf(name: string, shape: readonly number[], weights: SafetensorsFile): string {
  if (!weights.has(name)) return `missing ${name} ${dims(shape)}`;
  const found = weights.entry(name).shape;
  if (dims(found) === dims(shape)) return "loaded";
  if (name === STEM && repeats(found, shape)) return "adapted";
  return `${name} has shape ${dims(found)}, the network needs ${dims(shape)}`;
}

/** Why a tensor that is not transferred stays behind; undefined for one that nothing here has. */
function reason(name: string): string | undefined {
  if (name.startsWith("mask_tokens.")) return "mask token";
  if (name.startsWith("densify_projs.")) return "densify convolution";
  return { encoder: undefined, decoder: "decoder", heads: "head", none: undefined }[groupOf(name)];
}

/** How often a stem of one shape must be repeated to have the channels of another; 0 if it cannot. */
function repeats([k, from, ...kernel]: readonly number[], to: readonly number[]): number {
  const times = to[1]! / from!;
  const same = to.length === 5 && k === to[0] && dims(kernel) === dims(to.slice(2));
  return same && Number.isInteger(times) ? times : 0;
}

/** Values (K, C, …) repeated along C as `to` has channels, divided by how often. */
function spread(values: Float32Array, from: readonly number[], to: readonly number[]): Float32Array {
  if (dims(from) === dims(to)) return values;
  const times = repeats(from, to);
  const filter = values.length / from[0]!;
  return Float32Array.from(
    { length: values.length * times },
    (_, i) => values[Math.floor(i / (filter * times)) * filter + (i % filter)]! / times,
  );
}

function requireFit({ path }: SafetensorsFile, problems: string[]): void {
  if (problems.length === 0) return;
  const shown = problems.slice(0, 20);
  if (problems.length > shown.length) shown.push(`and ${problems.length - shown.length} more`);
  throw new CheckpointError(
    "ERR_VOXELSPARK_CHECKPOINT",
    `${path} cannot be transferred, it is of another architecture than the plan's network:\n  ${shown.join("\n  ")}`,
  );
}
