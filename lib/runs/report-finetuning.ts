/** What a fine-tuning run left behind, and the cases to show of it. */
import { basename, dirname, join } from "node:path";
import { type GeometryChoice, orientationOf } from "../data/geometry";
import { readNifti } from "../data/nifti";
import { ShapeError, VoxelsparkError } from "../errors";
import { readSummary } from "../evaluation/read-summary";
import type { CaseResult, Summary } from "../evaluation/summary";
import { exists } from "../files";
import type { Metrics } from "../metrics-log";
import { directionsOf } from "../pictures/planes";
import { finetunePlanFromJson } from "../plans/finetune";
import { caseName } from "../report/dice-table";
import { extremeCases, finetuningPage } from "../report/finetuning";
import type { SegmentedCase } from "../report/overlay";
import { footer } from "../report/page";
import type { Triple } from "../triple";
import { summaryFile } from "./held-out";
import type { ReportOptions, ReportStep } from "./report";
import { readTransfer } from "./transfer-file";

/** The page of a run whose plan is of fine-tuning, and what it lacks. */
export async function* finetuningReport(
  options: ReportOptions,
  json: unknown,
  metrics: Metrics[],
): AsyncGenerator<ReportStep, { page: string; missing: string[] }> {
  const { run, cases: most = 3 } = options;
  const plan = finetunePlanFromJson(json, join(run, "plan.json"));
  const missing: string[] = [];
  const attempt = async <T>(read: () => Promise<T>): Promise<T | undefined> => {
    try {
      return await read();
    } catch (error) {
      if (!(error instanceof VoxelsparkError)) throw error;
      missing.push(error.message);
      return undefined;
    }
  };
  const summary = await attempt(() => summaryOf(run, missing));
  const transferred = join(run, "transfer.json");
  const transfer = (await exists(transferred)) ? await attempt(() => readTransfer(transferred)) : undefined;
  const cases: SegmentedCase[] = [];
  const chosen = summary ? extremeCases(summary).slice(0, most) : [];
  for (const [i, { index, what }] of chosen.entries()) {
    const result = summary!.metric_per_case[index]!;
    const found = await attempt(() =>
      readCase({ ...options, geometry: plan.preprocessing.geometry }, result, what),
    );
    if (found) cases.push(found);
    yield { done: i + 1, total: chosen.length, note: caseName(result) };
  }
  const report = { plan, metrics, transfer, summary, cases, missing, footer: footer(`from ${run}`) };
  return { page: finetuningPage(report), missing };
}

async function summaryOf(run: string, missing: string[]): Promise<Summary | undefined> {
  const file = summaryFile(run);
  if (await exists(file)) return readSummary(file);
  missing.push("The validation cases were not evaluated (yet): there is no validation/summary.json.");
  return undefined;
}

type CaseOptions = ReportOptions & { geometry: GeometryChoice };

/** Volumes of a case; of a run that was moved, predictions lie in its own folder. */
async function readCase(options: CaseOptions, result: CaseResult, caption: string): Promise<SegmentedCase> {
  const reading = { geometry: options.geometry, content: "labels" } as const;
  const inRun = join(options.run, "validation", basename(result.prediction_file));
  const prediction = await readNifti((await exists(inRun)) ? inRun : result.prediction_file, reading);
  const reference = await readNifti(result.reference_file, reading);
  const name = caseName(result);
  const { shape, geometry } = reference;
  if (prediction.shape.join() !== shape.join())
    throw new ShapeError(
      "ERR_VOXELSPARK_SHAPE",
      `${name} cannot be shown: its prediction has (${prediction.shape}) voxels, its reference (${shape}).`,
    );
  const [x, y, z] = geometry.spacing;
  return {
    name,
    caption,
    shape: shape as Triple,
    spacing: [z, y, x],
    directions: directionsOf(orientationOf(geometry.affine)),
    image: await imageOf(options, result, shape),
    reference: reference.data,
    prediction: prediction.data,
  };
}

/** The first channel from beside the references, as nnU-Net lays data out, or from --data; undefined if it is not there. */
async function imageOf({ data, geometry }: CaseOptions, result: CaseResult, shape: readonly number[]) {
  const [name, root] = [caseName(result), dirname(dirname(result.reference_file))];
  const folders = [
    ...(data ? [data, join(data, "imagesTr")] : []),
    join(root, "imagesTr"),
    join(root, "images"),
  ];
  for (const folder of folders)
    for (const file of [`${name}_0000.nii.gz`, `${name}_0000.nii`, `${name}.nii.gz`, `${name}.nii`]) {
      if (!(await exists(join(folder, file)))) continue;
      const image = await readNifti(join(folder, file), { nonFinite: "zero", geometry });
      return image.shape.join() === shape.join() ? image.data : undefined;
    }
  return undefined;
}
