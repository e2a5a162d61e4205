/** Losses of 20 steps from equal weights, patches and masks: ours and PyTorch's, in every precision. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { writeSafetensors } from "../../../lib";
import { Peer } from "../../peers/peer";
import { planFor, type StepData, stepData, Trainer } from "../model";
import { dry, type Part, peerDevice, python, requireGpu, workFolder } from "../part";
import { type Precision, planPrecisions, precisionNames } from "../precisions";
import { deviations } from "../ratios";

const STEPS = dry ? 3 : 20;
const planOf = (precision: Precision) => planFor(precision, "s3d", { patch: [64, 64, 64], batch: 2 });

/** The weights that every curve starts from. */
async function writeWeights(file: string): Promise<void> {
  using trainer = new Trainer(planOf("fp32"), "cuda");
  const sources = [...trainer.model.state()].map(([name, t]) => ({
    name,
    shape: t.shape,
    data: () => t.data(),
  }));
  await writeSafetensors(file, sources);
}

async function ours(part: Part, precision: Precision, steps: readonly StepData[]): Promise<void> {
  using trainer = new Trainer(planOf(precision), "cuda");
  const losses: number[] = [];
  for (const data of steps) losses.push(await trainer.step(data));
  part.add("curves", { by: "voxelspark", precision, losses });
}

async function theirs(part: Part, steps: readonly StepData[], weights: string): Promise<void> {
  const data = join(workFolder(), "patches.f32");
  writeFileSync(
    data,
    Buffer.concat(steps.map(({ patches: p }) => new Uint8Array(p.buffer, p.byteOffset, p.byteLength))),
  );
  const { network, batch, patch, optimizer } = planOf("fp32");
  const { features, blocks } = network;
  const { learningRate: rate, momentum } = optimizer;
  using peer = (await Peer.start(python, "curve.py", ["--device", peerDevice])).peer;
  const visible = steps.map(({ mask }) => [...mask.visible]);
  const question = {
    weights,
    data,
    batch,
    patch,
    features,
    blocks,
    rate,
    momentum,
    visible,
    grid: steps[0]!.mask.grid,
  };
  for (const precision of precisionNames) {
    const { losses } = await peer.ask({ cmd: "curve", precision, ...question });
    const numbers = (losses as (number | null)[]).map((loss) => loss ?? Number.NaN);
    part.add("curves", { by: "PyTorch", precision, losses: numbers });
  }
}

/** Ours in 16 bits may go astray as far as PyTorch's own does, twice. */
function judge(part: Part): void {
  const all = deviations(part.data.curves ?? []);
  for (const { by, precision, worst } of all.filter((d) => d.by === "voxelspark")) {
    const own = all.find((d) => d.by === "PyTorch" && d.precision === precision)?.worst ?? 0;
    part.within(
      `${by} ${precision}: losses beside PyTorch fp32`,
      worst,
      precision === "fp32" ? 1e-3 : Math.max(2 * own, 1e-2),
    );
  }
}

export default async function curves(part: Part): Promise<void> {
  requireGpu();
  const plan = planOf("fp32");
  const steps = Array.from({ length: STEPS }, (_, i) => stepData(plan, i, 0.75));
  const weights = join(workFolder(), "weights.safetensors");
  await writeWeights(weights);
  for (const precision of planPrecisions())
    await part.attempt(`our curve in ${precision}`, () => ours(part, precision, steps));
  await part.attempt("the peer's curves", () => theirs(part, steps, weights));
  judge(part);
}
