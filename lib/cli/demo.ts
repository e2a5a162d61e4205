/**
 * `npm run demo`: the whole way on synthetic heads, with nothing but this package. Writes phantoms as NIfTI,
 * preprocesses them, pre-trains a tiny S3D, shows what it reconstructs, fine-tunes it on a few labelled heads beside a
 * network from scratch, for several draws of heads, and writes pages about it. Everything lands in ./demo-output.
 */
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { type PhantomOptions, writePhantoms } from "../data/phantoms";
import { createPlan, type Plan } from "../plans/plan";
import { openCases } from "../runs/cases";
import { runPretraining } from "../runs/pretraining";
import { reconstructImage } from "../runs/reconstruction";
import { writeReport } from "../runs/report";
import { compareTuning, SCANNERS } from "./demo-tuning";
import { chooseDevice } from "./options";
import { duration, log, tell, underBar } from "./output";
import { type RunSummary, watchRun } from "./watch";

const OUT = "demo-output";
const HEADS = 24;
const EDGE = 64;
const SEED = 2025;

const plan: Plan = createPlan(
  {
    name: "demo",
    seed: SEED,
    steps: 400,
    patch: [32, 32, 32],
    preprocessing: { spacing: null },
    validation: { every: 80 },
    checkpoint: { every: 200 },
  },
  "tiny",
);

/** Writes the heads; returns the path of the last one's image. */
async function writeHeads(): Promise<string> {
  let image = "";
  const options: PhantomOptions = { seed: SEED, shape: [EDGE, EDGE, EDGE], scanners: SCANNERS };
  await underBar("synthetic heads", writePhantoms(join(OUT, "data"), HEADS, options), (head) => {
    image = head.image;
    return "";
  });
  return image;
}

function train(): Promise<RunSummary> {
  const open = () => openCases(join(OUT, "data", "images"), OUT, plan);
  return watchRun(plan.steps, runPretraining({ plan, out: join(OUT, "run"), open, device: "cpu" }));
}

async function pictures(image: string): Promise<string> {
  const out = join(OUT, "reconstruction");
  const { picture } = await underBar(
    "reconstruct",
    reconstructImage({ checkpoint: join(OUT, "run"), image, out, device: "cpu" }),
  );
  return picture;
}

async function page(run: string, about: string): Promise<void> {
  const { file } = await underBar("report", writeReport({ run, device: "cpu" }), ({ note }) => note);
  log(`page about ${about}: ${file}`);
}

async function demo(): Promise<void> {
  const start = performance.now();
  chooseDevice({ device: "cpu" });
  await rm(OUT, { recursive: true, force: true });
  const image = await writeHeads();
  log(`${plan.steps} steps of ${plan.batch} patches of ${plan.patch.join("×")}`);
  const { validations } = await train();
  log("\n  step   masked MSE   mean prediction   (held-out head, fixed patches and masks)");
  for (const v of validations)
    log(
      `  ${String(v.step).padStart(4)}   ${v.loss.toFixed(4).padStart(10)}   ${v.baseline.toFixed(4).padStart(15)}`,
    );
  const picture = await pictures(image);
  log(`\ninput, masked, reconstruction: ${picture}`);
  log(`loss curve:                    ${join(OUT, "run", "progress.png")}`);
  const run = join(OUT, "run");
  await page(run, "pre-training");
  const tuning = {
    out: join(OUT, "comparison"),
    pretraining: plan,
    pretrained: run,
    edge: EDGE,
    seen: HEADS,
  };
  const { failures, results, datasets } = await compareTuning(tuning);
  for (const { folder, dataset, method } of results)
    if (dataset === datasets[0]) await page(join(tuning.out, folder), `${dataset}, ${method}`);
  log(`done in ${duration((performance.now() - start) / 1000)}`);
  const last = validations.at(-1);
  if (!last || !(last.loss < last.baseline)) {
    log("the model did not beat the mean prediction: something is wrong");
    process.exitCode = 1;
  }
  if (failures.length > 0) process.exitCode = 1;
}

demo().catch((error: unknown) => {
  process.exitCode = tell(error);
});
