/**
 * `npm run demo`: the main job on synthetic heads, with nothing but this package. Writes phantoms as NIfTI,
 * preprocesses them, pre-trains a tiny S3D and shows what it reconstructs. Everything lands in ./demo-output.
 */
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { writePhantoms } from "../data/phantoms";
import { createPlan, type Plan } from "../plans/plan";
import { CaseSource, prepareCases } from "../runs/cases";
import { runPretraining } from "../runs/pretraining";
import { reconstructImage } from "../runs/reconstruction";
import { chooseDevice } from "./options";
import { duration, log, progress } from "./output";

const OUT = "demo-output";
const HEADS = 12;
const SEED = 2025;

const plan: Plan = createPlan(
  {
    name: "demo",
    seed: SEED,
    steps: 240,
    preprocessing: { spacing: null },
    validation: { every: 40 },
    checkpoint: { every: 120 },
  },
  "tiny",
);

async function writeHeads(): Promise<string> {
  const bar = progress("synthetic heads", HEADS);
  let image = "";
  for await (const head of writePhantoms(join(OUT, "data"), HEADS, { seed: SEED })) {
    image = head.image;
    bar.update(head.done);
  }
  bar.stop();
  return image;
}

async function prepare() {
  const steps = prepareCases(join(OUT, "data", "images"), OUT, plan);
  const bar = progress("preprocess", HEADS);
  for (;;) {
    const next = await steps.next();
    if (next.done) {
      bar.stop();
      return next.value;
    }
    if (next.value.error) throw next.value.error;
    bar.update(next.value.done, next.value.case);
  }
}

async function train(source: CaseSource): Promise<{ step: number; loss: number; baseline: number }[]> {
  const validations: { step: number; loss: number; baseline: number }[] = [];
  const bar = progress("pre-train", plan.steps);
  try {
    for await (const event of runPretraining({ plan, out: join(OUT, "run"), source, device: "cpu" })) {
      if (event.type === "step") bar.update(event.step, `masked MSE ${event.loss.toFixed(3)}`);
      if (event.type === "validation") validations.push(event);
    }
  } finally {
    bar.stop();
  }
  return validations;
}

async function pictures(image: string): Promise<string> {
  const steps = reconstructImage({
    checkpoint: join(OUT, "run"),
    image,
    out: join(OUT, "reconstruction"),
    device: "cpu",
  });
  let bar: ReturnType<typeof progress> | undefined;
  for (;;) {
    const next = await steps.next();
    if (next.done) {
      bar?.stop();
      return next.value.picture;
    }
    bar ??= progress("reconstruct", next.value.total);
    bar.update(next.value.done);
  }
}

async function demo(): Promise<void> {
  const start = performance.now();
  chooseDevice({ device: "cpu" });
  await rm(OUT, { recursive: true, force: true });
  const image = await writeHeads();
  const source = await CaseSource.open(plan, await prepare());
  const { training, validation } = source.counts;
  log(
    `${training} heads train, ${validation} validate; ${plan.steps} steps of ${plan.batch} patches of ${plan.patch.join("×")}`,
  );
  let validations: Awaited<ReturnType<typeof train>>;
  try {
    validations = await train(source);
  } finally {
    await source.close();
  }
  log("\n  step   masked MSE   mean prediction   (held-out head, fixed patches and masks)");
  for (const v of validations)
    log(
      `  ${String(v.step).padStart(4)}   ${v.loss.toFixed(4).padStart(10)}   ${v.baseline.toFixed(4).padStart(15)}`,
    );
  const picture = await pictures(image);
  log(`\ninput, masked, reconstruction: ${picture}`);
  log(`loss curve:                    ${join(OUT, "run", "progress.png")}`);
  log(`done in ${duration((performance.now() - start) / 1000)}`);
  const last = validations.at(-1);
  if (!last || !(last.loss < last.baseline)) {
    log("the model did not beat the mean prediction: something is wrong");
    process.exitCode = 1;
  }
}

demo().catch((error: Error & { code?: string }) => {
  log(`error: ${error.code ? `${error.message} [${error.code}]` : error.stack}`);
  process.exitCode = 1;
});
