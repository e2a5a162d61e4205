/**
 * TFLOP/s of convolutions, forward and both gradients, dense and with three quarters of the blocks masked, in every
 * precision, beside cuDNN in both memory layouts with its benchmark mode on. Ours is the wall clock of many launches from
 * JavaScript that one wait ends, theirs events around launches that are queued already. Ours rotate among operands that
 * together exceed the second-level cache, in which theirs of small layers may stay.
 */
import { scope, sync, type Tensor } from "../../../lib";
import { Peer } from "../../peers/peer";
import { type Form, groupForms, inForm } from "../forms";
import { flopsOf, type Layer, nameOf, type Operands, operands, paperLayers, smallLayers } from "../layers";
import { dry, type KernelTime, type Part, type Pass, passes, peerDevice, python, requireGpu } from "../part";
import { kernelPrecisions, type Precision } from "../precisions";

/** More than the second-level cache of any device. */
const CACHE_BYTES = 128e6;
const SECONDS = dry ? 0.001 : 0.02;
const MEASUREMENTS = dry ? 1 : 3;
const MOST_SETS = dry ? 1 : 32;

async function timed(runs: readonly (() => Tensor[])[], repeats: number): Promise<number> {
  await sync();
  const began = performance.now();
  for (let i = 0; i < repeats; i++) scope(() => void runs[i % runs.length]!());
  await sync();
  return (performance.now() - began) / 1e3 / repeats;
}

/** The median of MEASUREMENTS of at least SECONDS. */
async function seconds(runs: readonly (() => Tensor[])[]): Promise<number> {
  await timed(runs, runs.length);
  const repeats = Math.max(runs.length, Math.ceil(SECONDS / (await timed(runs, runs.length))));
  const times: number[] = [];
  await timed(runs, repeats); // while an idle device raises its clock
  for (let i = 0; i < MEASUREMENTS; i++) times.push(await timed(runs, repeats));
  return times.sort((a, b) => a - b)[times.length >> 1] as number;
}

/** Forms of products that a pass has: only kernels on halo tiles have operands in registers. */
function formsOf({ kernel, stride, transposed }: Layer, pass: Pass, forms: readonly Form[]): Form[] {
  const halo = kernel === 3 && stride === 1 && !transposed;
  if (pass === "grad_weight") return forms.filter((form) => form === "off");
  return forms.filter((form) => halo || form !== "registers");
}

interface Run {
  layer: Layer;
  precision: Precision;
  masked: number;
  passes: readonly Pass[];
  forms: readonly Form[];
}

const seen = new Set<string>();
/** Whether this was not measured before: parts of the plan below overlap. */
function isNew(...key: readonly unknown[]): boolean {
  const name = key.join("|");
  const fresh = !seen.has(name);
  seen.add(name);
  return fresh;
}

async function ours(part: Part, { layer, precision, masked, passes, forms }: Run): Promise<void> {
  const {
    channels: [c, k],
    edge,
    samples,
    stride,
  } = layer;
  const wanted = passes.flatMap((pass) => formsOf(layer, pass, forms).map((form) => ({ pass, form })));
  const fresh = wanted.filter(({ pass, form }) => isNew(nameOf(layer), precision, masked, pass, form));
  if (fresh.length === 0) return;
  const bytes =
    (precision === "fp32" ? 4 : 2) * samples * (c * (edge * stride) ** 3 + k * edge ** 3) * (1 - masked);
  const sets: Operands[] = [];
  try {
    for (let i = 0; i < Math.min(MOST_SETS, Math.ceil(CACHE_BYTES / bytes)); i++)
      sets.push(operands(layer, precision, masked));
    for (const { pass, form } of fresh) {
      const how = masked ? `${masked * 100} % masked` : "dense";
      const row: KernelTime = {
        ...{ layer: nameOf(layer), pass, by: "voxelspark", precision, seconds: Number.NaN },
        how: form === "off" ? how : `${how}, wgmma ${form}`,
        flops: flopsOf(layer) * (sets[0] as Operands).share,
      };
      await part.attempt(`${precision} ${pass}, ${row.layer}, ${row.how}`, async () => {
        const runs = sets.map(({ runs }) => runs[pass]);
        part.add("kernels", { ...row, seconds: await inForm(form, () => seconds(runs)) });
      });
    }
  } finally {
    for (const { free } of sets) free();
  }
}

interface Question {
  layer: Layer;
  precision: Precision;
  passes: readonly Pass[];
  /** Whether to name the peer's kernels. */
  profile: boolean;
}

async function theirs(
  part: Part,
  peer: Peer,
  { layer, precision, passes, profile }: Question,
  tf32: boolean,
): Promise<void> {
  const { channels, edge, samples, kernel, stride, transposed } = layer;
  const input = transposed ? edge / stride : edge * stride;
  const op = transposed ? "conv_transpose3d" : "conv3d";
  const shape = [samples, channels[0], input, input, input];
  for (const pass of passes.filter((pass) => isNew(nameOf(layer), precision, "peer", pass)))
    for (const layout of ["contiguous", "channels_last"]) {
      const how = precision === "fp32" && tf32 ? `${layout}, TF32` : layout;
      const row: KernelTime = {
        ...{ layer: nameOf(layer), pass, by: "PyTorch", precision, how, seconds: Number.NaN },
        flops: flopsOf(layer),
      };
      const question = {
        cmd: "run",
        op,
        pass,
        kernel,
        stride,
        precision,
        repeats: 5,
        shape,
        profile,
        layout,
      };
      try {
        const answer = await peer.ask({ ...question, channels: channels[1] });
        part.add("kernels", {
          ...row,
          seconds: answer.seconds as number,
          kernels: answer.kernels as string[],
        });
      } catch (error) {
        part.add("kernels", { ...row, failed: (error as Error).message });
      }
    }
}

/** What matters first: dense layers, of which the targets are; then masked ones; other forms, which may hang; the rest. */
async function all(part: Part, peer: Peer, tf32: boolean, forms: readonly Form[]): Promise<void> {
  const layers = dry ? smallLayers : paperLayers;
  const targets = layers.slice(0, 3);
  const precisions = (["bf16", "fp32", "fp16"] as const).filter((p) => kernelPrecisions().includes(p));
  const [first = "fp32", ...others] = precisions;
  const mine = (layer: Layer, masked: number, more: Partial<Run> = {}) =>
    part.attempt(`${first} ${nameOf(layer)}`, () =>
      ours(part, { layer, masked, precision: first, passes, forms: ["off"], ...more }),
    );
  const peers = (layer: Layer, precision: Precision, wanted: readonly Pass[], profile: boolean) =>
    part.attempt(`${precision} ${nameOf(layer)}, PyTorch`, () =>
      theirs(part, peer, { layer, precision, passes: wanted, profile }, tf32),
    );
  for (const layer of targets) {
    await mine(layer, 0);
    await peers(layer, first, ["forward"], true);
    if (layer.sparse) await mine(layer, 0.75);
  }
  for (const layer of targets) await peers(layer, first, passes, true);
  if (first === "bf16")
    for (const layer of targets)
      for (const masked of [0, 0.75]) await mine(layer, masked, { forms, passes: ["forward", "grad_input"] });
  for (const layer of layers) {
    if (layer.sparse) await mine(layer, 0.75, first === "bf16" ? { forms: ["off", ...forms] } : {});
    await mine(layer, 0);
    await peers(layer, first, passes, false);
  }
  for (const precision of others)
    for (const layer of targets) {
      await mine(layer, 0, { precision, passes: ["forward"] });
      await peers(layer, precision, ["forward"], false);
    }
}

export default async function kernels(part: Part): Promise<void> {
  requireGpu();
  const how = ["--device", peerDevice, "--threads", "2", "--go-on"];
  const { peer: started, ready } = await Peer.start(python, "ops.py", how);
  using peer = started;
  part.fact("peer", ready.ready);
  const forms = await groupForms();
  part.fact("products of warpgroups", forms.length ? forms : "none that the device has and that were right");
  // PyTorch's own choice for convolutions of float32: products of 10-bit mantissas, which ours are not.
  await all(part, peer, (ready.ready as { tf32?: boolean }).tf32 === true, forms);
  const rows = (part.data.kernels ?? []).filter(({ by }) => by === "PyTorch");
  const failed = rows.filter((row) => row.failed);
  const found = `${rows.length - failed.length} of ${rows.length}`;
  part.check(
    "PyTorch's convolutions were measured",
    failed.length < rows.length,
    failed[0] ? `${found}, ${failed[0].failed}` : found,
  );
}
