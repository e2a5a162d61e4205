/**
 * TFLOP/s of convolutions, forward and both gradients, dense and with three quarters of the blocks masked, in every
 * precision, beside cuDNN in both memory layouts with its benchmark mode on. Ours is the wall clock of many queued
 * launches that one wait ends, theirs events; launches rotate among operands that together exceed the second-level cache.
 */
import { scope, sync, type Tensor } from "../../../lib";
import { Peer } from "../../peers/peer";
import { type Form, groupForms, inForm } from "../forms";
import { flopsOf, type Layer, nameOf, type Operands, operands, paperLayers, smallLayers } from "../layers";
import { dry, type KernelTime, type Part, type Pass, passes, peerDevice, python, requireGpu } from "../part";
import { kernelPrecisions, type Precision } from "../precisions";

/** More than the second-level cache of any device. */
const CACHE_BYTES = 128e6;
const SECONDS = dry ? 0.001 : 0.05;
const MEASUREMENTS = dry ? 1 : 5;
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
  for (let i = 0; i < MEASUREMENTS; i++) times.push(await timed(runs, repeats));
  return times.sort((a, b) => a - b)[times.length >> 1] as number;
}

/** Forms of products that a pass has: only kernels on halo tiles have operands in registers. */
function formsOf({ kernel, stride, transposed }: Layer, pass: Pass, forms: readonly Form[]): Form[] {
  const halo = kernel === 3 && stride === 1 && !transposed;
  return ["off", ...(pass === "grad_weight" ? [] : forms.filter((form) => halo || form === "shared"))];
}

interface Run {
  layer: Layer;
  precision: Precision;
  masked: number;
  /** Besides "off". */
  forms: readonly Form[];
}

async function ours(part: Part, { layer, precision, masked, forms }: Run): Promise<void> {
  const {
    channels: [c, k],
    edge,
    samples,
    stride,
  } = layer;
  const bytes =
    (precision === "fp32" ? 4 : 2) * samples * (c * (edge * stride) ** 3 + k * edge ** 3) * (1 - masked);
  const sets: Operands[] = [];
  try {
    for (let i = 0; i < Math.min(MOST_SETS, Math.ceil(CACHE_BYTES / bytes)); i++)
      sets.push(operands(layer, precision, masked));
    const [first] = sets as [Operands];
    for (const pass of passes)
      for (const form of formsOf(layer, pass, forms)) {
        const how = masked ? `${masked * 100} % masked` : "dense";
        const row: KernelTime = {
          ...{ layer: nameOf(layer), pass, by: "voxelspark", precision, seconds: Number.NaN },
          how: form === "off" ? how : `${how}, wgmma ${form}`,
          flops: flopsOf(layer) * first.share,
        };
        try {
          const runs = sets.map(({ runs }) => runs[pass]);
          part.add("kernels", { ...row, seconds: await inForm(form, () => seconds(runs)) });
        } catch (error) {
          part.add("kernels", { ...row, failed: (error as Error).message });
        }
      }
  } finally {
    for (const { free } of sets) free();
  }
}

async function theirs(part: Part, peer: Peer, layer: Layer, precision: Precision, pass: Pass): Promise<void> {
  const { channels, edge, samples, kernel, stride, transposed } = layer;
  const input = transposed ? edge / stride : edge * stride;
  const question = {
    ...{
      cmd: "run",
      op: transposed ? "conv_transpose3d" : "conv3d",
      pass,
      kernel,
      stride,
      precision,
      repeats: 7,
    },
    ...{ shape: [samples, channels[0], input, input, input], channels: channels[1], profile: true },
  };
  for (const layout of ["contiguous", "channels_last"]) {
    const row: KernelTime = {
      ...{ layer: nameOf(layer), pass, by: "PyTorch", precision, how: layout, seconds: Number.NaN },
      flops: flopsOf(layer),
    };
    try {
      const { seconds, kernels } = await peer.ask({ ...question, layout });
      part.add("kernels", { ...row, seconds: seconds as number, kernels: kernels as string[] });
    } catch (error) {
      part.add("kernels", { ...row, failed: (error as Error).message });
    }
  }
}

export default async function kernels(part: Part): Promise<void> {
  requireGpu();
  const { peer, ready } = await Peer.start(python, "ops.py", [
    "--device",
    peerDevice,
    "--threads",
    "2",
    "--go-on",
  ]);
  part.fact("peer", ready.ready);
  const forms = await groupForms();
  part.fact("products of warpgroups", forms.length ? forms : "the device has none");
  // The precisions that matter first.
  const order = (["bf16", "fp32", "fp16"] as const).filter((p) => kernelPrecisions().includes(p));
  for (const precision of order)
    for (const layer of dry ? smallLayers : paperLayers)
      await part.attempt(`${precision} ${nameOf(layer)}`, async () => {
        const run = { layer, precision, forms: precision === "bf16" ? forms : [] };
        if (layer.sparse) await ours(part, { ...run, masked: 0.75 });
        await ours(part, { ...run, masked: 0, ...(layer.sparse && { forms: [] }) });
        for (const pass of passes) await theirs(part, peer, layer, precision, pass);
      });
  peer.stop();
}
