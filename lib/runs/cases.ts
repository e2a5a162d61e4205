import { join } from "node:path";
import { type CaseProperties, listCases, propertiesOf, StoredCase } from "../data/case-store";
import { PatchLoader } from "../data/loader";
import { CaseSet } from "../data/patches";
import { medianSpacing, type PreprocessOptions, type PreprocessStep, preprocess } from "../data/preprocess";
import { requireStep } from "../data/sample-loader";
import { type SampleOptions, validationSample } from "../data/samples";
import { findCases, type ImageCase } from "../data/sources";
import { DataError } from "../errors";
import { listFolder, sha256 } from "../files";
import { overridePlan, type Plan } from "../plans/plan";
import { splitCases } from "../plans/split";
import type { RunSource } from "./pretraining";

/** A folder of preprocessed cases and which of them a run uses. */
export interface CaseFolder {
  folder: string;
  ids: readonly string[];
}

/** Whether `input` is a folder that `voxelspark preprocess` wrote. */
export async function isCaseFolder(input: string): Promise<boolean> {
  const names = await listFolder(input).catch(() => []);
  return names.some((name) => name.endsWith(".zarr") && !name.startsWith("."));
}

/** The preprocessing of a plan for these images; "median" becomes the set's median spacing. */
export async function preprocessing(plan: Plan, images: readonly ImageCase[]): Promise<PreprocessOptions> {
  const { spacing, geometry } = plan.preprocessing;
  return {
    ...plan.preprocessing,
    spacing: spacing === "median" ? await medianSpacing(images, geometry) : spacing,
  };
}

/**
 * The plan with the preprocessing that its cases really get, since later uses of a checkpoint repeat it: "median"
 * becomes the median spacing of the images, or what stored cases were made with.
 */
export async function resolvePreprocessing(plan: Plan, input: string): Promise<Plan> {
  if (plan.preprocessing.spacing !== "median") return plan;
  const [first] = (await isCaseFolder(input)) ? await listCases(input) : [];
  const { spacing } =
    first === undefined
      ? await preprocessing(plan, await findCases(input))
      : ((await StoredCase.open(input, first)).properties.options as PreprocessOptions);
  return overridePlan(plan, { preprocessing: { spacing } });
}

/** Options of preprocessing that say which images are taken, and nothing about the voxels of a stored case. */
const ADMISSION = new Set(["nonFinite", "geometry"]);

/** @throws DataError when a stored case was not made as the plan says */
function requirePreprocessing(plan: Plan, { id, options }: CaseProperties): void {
  for (const [field, wanted] of Object.entries(plan.preprocessing)) {
    const found = (options as Record<string, unknown>)[field];
    if (found === undefined || ADMISSION.has(field) || JSON.stringify(found) === JSON.stringify(wanted))
      continue;
    throw new DataError(
      "ERR_VOXELSPARK_DATA",
      `Case ${id} was preprocessed with ${field} ${JSON.stringify(found)}, the plan says ${JSON.stringify(wanted)}; ` +
        `preprocess again, or set preprocessing.${field} of the plan.`,
    );
  }
}

/**
 * Cases of an input: a case folder as it is; images are first preprocessed into `<out>/cases`.
 * Yields what preprocessing does; images that cannot be used are left out.
 * @throws DataError when no usable case is left
 */
async function* prepareCases(
  input: string,
  out: string,
  plan: Plan,
): AsyncGenerator<PreprocessStep, CaseFolder> {
  if (await isCaseFolder(input)) return { folder: input, ids: await listCases(input) };
  const images = await findCases(input);
  const folder = join(out, "cases");
  const ids: string[] = [];
  for await (const step of preprocess(
    images,
    folder,
    await preprocessing(plan, images),
    plan.loader.workers,
  )) {
    if (step.status !== "failed") ids.push(step.case);
    yield step;
  }
  if (ids.length === 0)
    throw new DataError(
      "ERR_VOXELSPARK_EMPTY",
      `none of the ${images.length} images of ${input} can be used`,
    );
  return { folder, ids: ids.sort() };
}

/** The source of a run: `prepareCases`, then `CaseSource.open`. */
export async function* openCases(
  input: string,
  out: string,
  plan: Plan,
): AsyncGenerator<PreprocessStep, CaseSource> {
  return CaseSource.open(plan, yield* prepareCases(input, out, plan));
}

/** @throws DataError when a stored case has other channels than the plan's network reads, or a label map */
function requireChannels(
  { network: { inChannels } }: Plan,
  { id, further = [], label }: CaseProperties,
): void {
  const channels = 1 + further.length;
  if (channels === inChannels && !label) return;
  throw new DataError(
    "ERR_VOXELSPARK_DATA",
    `Case ${id} has ${channels} ${channels === 1 ? "channel" : "channels"}${label ? " and a label map" : ""}; ` +
      `allowed are ${inChannels}, the plan's network.inChannels, and no label map.`,
  );
}

/** Patches of a plan out of a case folder, cut and augmented by loader workers. */
export class CaseSource implements RunSource {
  private loader: PatchLoader | undefined;

  private constructor(
    private readonly plan: Plan,
    private readonly training: SampleOptions,
    private readonly held: SampleOptions,
    readonly fingerprint: string,
    /** Number of cases that train and that validate; with one subject only, validation patches are of it. */
    readonly counts: { training: number; validation: number },
  ) {}

  /** @throws DataError when a case is damaged or was not preprocessed as the plan says */
  static async open(plan: Plan, { folder, ids }: CaseFolder): Promise<CaseSource> {
    const cases = await propertiesOf(folder, ids);
    for (const properties of cases) {
      requireChannels(plan, properties);
      requirePreprocessing(plan, properties);
    }
    const split = splitCases(
      cases.map(({ id, subject }) => ({ id, subject })),
      plan,
    );
    const common = {
      folder,
      patch: plan.patch,
      seed: plan.seed,
      channels: plan.network.inChannels,
      padding: plan.padding,
    };
    const held = split.validation.length > 0 ? split.validation : split.training;
    const contents = cases.map(({ id, source, options }) => [id, source.sha256, options]);
    return new CaseSource(
      plan,
      { ...common, cases: split.training, augmentation: plan.augmentation },
      { ...common, cases: held },
      sha256(JSON.stringify(contents)),
      { training: split.training.length, validation: split.validation.length },
    );
  }

  /** The loader is made at the first step asked for and expects the following ones in order. */
  async batch(step: number): Promise<{ patches: Float32Array; waitSeconds: number }> {
    const { workers, prefetch } = this.plan.loader;
    this.loader ??= new PatchLoader({
      ...this.training,
      batch: this.plan.batch,
      workers,
      prefetch,
      firstStep: step,
      endStep: this.plan.steps,
    });
    const batch = requireStep(await this.loader.next(), step);
    return { patches: batch.data, waitSeconds: batch.waitSeconds };
  }

  async validation(first: number, count: number): Promise<Float32Array> {
    const set = new CaseSet(this.held.folder, this.held.cases);
    const size = this.plan.network.inChannels * this.plan.patch.reduce((a, b) => a * b, 1);
    const out = new Float32Array(count * size);
    for (let i = 0; i < count; i++)
      out.set((await validationSample(set, this.held, first + i)).data, i * size);
    return out;
  }

  async close(): Promise<void> {
    await this.loader?.close();
  }
}
