/**
 * One S3D pre-training step of ResEnc-L beside the same step in PyTorch, computed densely and multiplied by the mask
 * as the public implementations do. Peer A is PyTorch as it comes, B has malloc told to keep big buffers.
 *
 *   npm run bench -- step [--patch 64] [--batch 1] [--threads 2] [--ratio 0.75] [--plain] [--peer python]
 *                         [--peers A] [--json]
 */
import { sampleMask } from "../../lib/masking";
import { createPlan, type Plan } from "../../lib/plans/plan";
import { rng } from "../../lib/random";
import { dryRun } from "../../lib/recipes/dry-run";
import { buildS3D, buildSGD, pretrainStep } from "../../lib/recipes/step";
import { stats } from "../../lib/tensor";
import type { Bench, Contestant } from "../harness";
import type { BenchOptions } from "../options";
import { findPeerPython, Peer } from "../peers/peer";

type Path = Pick<Plan, "fusion" | "tokenFolding">;

/** The plan of a step, and with `plain` of the steps without fused norms and without token folding. */
function plans({ patch, batch, ratio, plain }: BenchOptions): [string, Plan][] {
  const planOf = (path: Partial<Path>) =>
    createPlan({ patch: [patch, patch, patch], batch, mask: { ratio }, device: "cpu", ...path });
  return [
    ["voxelspark", planOf({})],
    ...(plain
      ? ([
          ["voxelspark, norms written", planOf({ fusion: false })],
          ["voxelspark, tokens not folded", planOf({ tokenFolding: false })],
        ] as [string, Plan][])
      : []),
  ];
}

/** A model and an optimiser of its own. */
function ours(name: string, plan: Plan, { patch, batch, ratio }: BenchOptions): Contestant {
  const model = buildS3D(plan, "cpu");
  const optimizer = buildSGD(plan, model);
  const shape = [batch, 1, patch, patch, patch];
  const patches = rng(0, 0, "bench").fillNormal(new Float32Array(batch * patch ** 3));
  const masking = { patch: plan.patch, block: plan.mask.block, ratio, per: "batch" as const };
  let step = 0;
  return {
    name,
    async run() {
      const mask = sampleMask(masking, { seed: 0, step: step++, samples: batch });
      const start = performance.now();
      const result = pretrainStep(model, optimizer, { patches, shape, mask, device: "cpu" }, 1e-3);
      await result.loss.item();
      const seconds = (performance.now() - start) / 1000;
      result.loss.dispose();
      result.gradientNorm.dispose();
      return seconds;
    },
  };
}

const MALLOC = { A: "default", B: "tuned" } as const;

export default async function step(bench: Bench): Promise<void> {
  const { options } = bench;
  const { patch, batch, threads, ratio } = options;
  const paths = plans(options);
  const python = findPeerPython(options.peer);
  const args = ["--patch", patch, "--batch", batch, "--threads", threads, "--mask-ratio", ratio].map(String);
  const peers: ["A" | "B", Peer][] = [];
  for (const name of python ? (["A", "B"] as const) : []) {
    if (!options.peers.includes(name)) continue;
    const all = [...args, "--warm-up", "0", "--malloc", MALLOC[name]]; // the first step here is a warm-up
    peers.push([name, (await Peer.start(python as string, "step.py", all)).peer]);
  }
  const memory = new Map<string, number>();
  const contestants = peers.map(
    ([name, peer]): Contestant => ({
      name: `PyTorch ${name}`,
      peer: name,
      run: async () => {
        const { seconds, peakRssBytes } = await peer.ask({ cmd: "step" });
        memory.set(`PyTorch ${name}, process`, peakRssBytes as number);
        return seconds as number;
      },
    }),
  );
  await bench.compare(`S3D step, ResEnc-L, ${patch}³ × ${batch}, ${ratio * 100} % masked`, [
    ...paths.map(([name, plan]) => ours(name, plan, options)),
    ...contestants,
  ]);
  // Several models at once: what the null device counts for each.
  for (const [name, plan] of paths)
    memory.set(`${name}, tensors`, paths.length > 1 ? dryRun(plan).peakBytes : stats("cpu").peakBytes);
  memory.set("voxelspark, process", process.resourceUsage().maxRSS * 1024);
  bench.remember(memory);
  if (!options.json) {
    if (!python) console.log("  no peer: give --peer <python with torch>");
  }
  for (const [, peer] of peers) peer.stop();
}
