/** Held-out cases of a pre-training run and what its newest checkpoint makes of them, for the run's page. */
import { join } from "node:path";
import { listCases, propertiesOf, StoredCase } from "../data/case-store";
import { preprocessImage } from "../data/preprocess";
import { findCases, type ImageCase } from "../data/sources";
import { VoxelsparkError } from "../errors";
import { middleRatio } from "../masking";
import { directionsOf } from "../pictures/planes";
import type { Plan } from "../plans/plan";
import { splitCases } from "../plans/split";
import { reconstruct } from "../recipes/reconstruct";
import type { ReconstructedCase } from "../report/pretraining";
import type { Triple } from "../triple";
import { isCaseFolder, preprocessing } from "./cases";
import { loadModel } from "./load-model";
import { sourceOf } from "./reconstruction";
import type { ReportOptions, ReportStep } from "./report";

export interface Reconstructions {
  reconstructions: ReconstructedCase[];
  /** Why there are none, or fewer than asked for. */
  missing: string[];
}

interface Prepared {
  name: string;
  data: Float32Array;
  shape: Triple;
  spacing: Triple;
  directions: ReconstructedCase["directions"];
}

const CASES = 2;

/** Masks and reconstructs up to `cases` held-out cases. What stands in the way is told, not thrown. */
export async function* reconstructCases(
  options: ReportOptions,
  plan: Plan,
  checkpoints: readonly number[],
): AsyncGenerator<ReportStep, Reconstructions> {
  const { cases = CASES } = options;
  if (cases === 0) return none("No reconstructions were asked for.");
  if (checkpoints.length === 0) return none("There is no checkpoint yet, so nothing can be reconstructed.");
  if (plan.network.inChannels !== 1)
    return none("Reconstructions are drawn for networks of one channel only.");
  try {
    const found = await casesOf(options, plan, cases);
    if (found.length === 0)
      return none("The run keeps no cases to reconstruct; name images or a case folder with --data.");
    return yield* reconstructAll(options, plan, found);
  } catch (error) {
    if (!(error instanceof VoxelsparkError)) throw error;
    return none(`Nothing could be reconstructed: ${error.message}`);
  }
}

function none(reason: string): Reconstructions {
  return { reconstructions: [], missing: [reason] };
}

async function* reconstructAll(
  { run, device }: ReportOptions,
  plan: Plan,
  cases: (() => Promise<Prepared>)[],
): AsyncGenerator<ReportStep, Reconstructions> {
  const { model } = await loadModel(run, device);
  try {
    const ratio = middleRatio(plan.mask.ratio);
    const reconstructions: ReconstructedCase[] = [];
    for (const [i, prepare] of cases.entries()) {
      const { data, ...rest } = await prepare();
      const steps = reconstruct(plan, model, data, rest.shape, { ratio, seed: plan.seed, device });
      for (;;) {
        const next = await steps.next();
        if (next.done) {
          reconstructions.push({ ...next.value, ...rest, input: data, ratio });
          break;
        }
        const { done, total } = next.value;
        yield { done: i * total + done, total: cases.length * total, note: rest.name };
      }
    }
    return { reconstructions, missing: [] };
  } finally {
    model.dispose();
  }
}

/** Up to `count` cases to show, each read when its turn comes. */
async function casesOf({ run, data }: ReportOptions, plan: Plan, count: number) {
  const folders = data === undefined ? [join(run, "cases"), join(run, "..", "cases")] : [data];
  for (const folder of folders)
    if (await isCaseFolder(folder)) {
      const properties = await propertiesOf(folder, await listCases(folder));
      const { training, validation } = splitCases(properties, plan);
      const ids = validation.length > 0 ? validation : training;
      return ids.slice(0, count).map((id) => () => stored(folder, id));
    }
  if (data === undefined) return [];
  const images = (await findCases(data)).slice(0, count);
  return images.map((image) => () => preprocessed(image, plan));
}

async function stored(folder: string, id: string): Promise<Prepared> {
  const found = await StoredCase.open(folder, id);
  const { shapes, spacing, geometry } = found.properties;
  const data = await found.read([0, 0, 0], shapes.stored);
  return { name: id, data, shape: shapes.stored, spacing, directions: directionsOf(geometry.orientation) };
}

async function preprocessed(image: ImageCase, plan: Plan): Promise<Prepared> {
  const source = await sourceOf(image.path);
  const { data, properties } = await preprocessImage(
    image,
    { image: [source] },
    await preprocessing(plan, [image]),
  );
  const { shapes, spacing, geometry } = properties;
  const directions = directionsOf(geometry.orientation);
  return { name: image.id, data, shape: shapes.stored, spacing, directions };
}
