/** Labelled patches for fine-tuning, cut and augmented by loader workers. */
import { sha256 } from "../files";
import { type LabelScheme, sameScheme } from "../labels";
import { type CaseProperties, propertiesOf } from "./case-store";
import { refuse } from "./dataset-json";
import { ANNOTATED } from "./label-map";
import { type LabelledSampleOptions, labelledValidationSample } from "./labelled-samples";
import { CaseSet } from "./patches";
import { requireStep, SampleLoader } from "./sample-loader";
import type { Fold } from "./splits";

export interface LabelledBatch {
  /** (N, C, D, H, W), normalised. */
  readonly images: Float32Array;
  /** (N, 1, D, H, W); -1 outside of the image. */
  readonly labels: Float32Array;
  /** How long the step had to wait for it. */
  readonly waitSeconds: number;
}

/** A whole preprocessed case. */
export interface LabelledCase {
  readonly name: string;
  readonly image: Float32Array; // (C, D, H, W)
  readonly label: Float32Array; // (D, H, W)
  readonly channels: number;
  readonly size: readonly [number, number, number];
}

export interface LabelledSource {
  /** Of the cases and how they were made; another one means other numbers. */
  readonly fingerprint: string;
  /** Cases that train and that validate. */
  readonly counts: { readonly training: number; readonly validation: number };
  /** Classes that are missing in the training or validation cases, as sentences. */
  readonly warnings?: readonly string[];
  /** A pure function of (seed, step): augmented, a share centred on foreground. Steps are asked for in order. */
  batch(step: number): Promise<LabelledBatch>;
  /** Every validation case as a whole, one at a time. */
  validationCases(): AsyncIterable<LabelledCase>;
  /** Fixed patches of the validation cases, never augmented: batch `index` of them. */
  validationBatch(index: number): Promise<LabelledBatch>;
  close(): Promise<void>;
}

export interface LabelledOptions extends Omit<LabelledSampleOptions, "cases"> {
  /** Cases of `folder` that train and that validate. */
  readonly fold: Fold;
  readonly labels: LabelScheme;
  /** Threads that make patches, and batches made ahead; neither changes a result. */
  readonly loader: { readonly workers: number; readonly prefetch: number };
  /** One past the last step. */
  readonly steps: number;
}

/** Throws DataError naming every case that has other channels or other labels. */
function requireCases(cases: readonly CaseProperties[], { channels, labels, folder }: LabelledOptions): void {
  const faults = cases.flatMap(({ id, label, further = [] }) => {
    if (!label) return [`case ${id} has no label map`];
    if (!sameScheme(label.scheme, labels)) return [`case ${id} has other labels`];
    const found = 1 + further.length;
    return found === channels ? [] : [`case ${id} has ${found} channels, ${channels} are expected`];
  });
  if (faults.length > 0) refuse(folder, faults);
}

/** Classes of which no voxel is there. */
function missingClasses(cases: readonly CaseProperties[], use: string): string[] {
  const tables = cases.map(({ label }) => label!.foreground);
  const names = (tables[0] ?? []).map(({ name }) => name).filter((name) => name !== ANNOTATED);
  return names
    .filter((name) => tables.every((table) => table.find((entry) => entry.name === name)?.voxels === 0))
    .map((name) => `No ${use} case has a voxel of ${name}.`);
}

class CaseFolderSource implements LabelledSource {
  private loader: SampleLoader | undefined;
  private readonly held: CaseSet;

  constructor(
    private readonly options: LabelledOptions,
    readonly fingerprint: string,
    readonly warnings: readonly string[],
  ) {
    const { training, validation } = options.fold;
    // With nothing held out, the patches that a validation looks at are of cases that were trained on.
    this.held = new CaseSet(options.folder, validation.length > 0 ? validation : training);
  }

  get counts() {
    const { training, validation } = this.options.fold;
    return { training: training.length, validation: validation.length };
  }

  private get sample(): LabelledSampleOptions {
    const { folder, fold, patch, batch, seed, channels, foreground, augmentation } = this.options;
    return { folder, cases: fold.training, patch, batch, seed, channels, foreground, augmentation };
  }

  /** The loader is made at the first step asked for and expects the following ones in order. */
  async batch(step: number): Promise<LabelledBatch> {
    const { batch, loader, steps } = this.options;
    const settings = { batch, ...loader, firstStep: step, endStep: steps };
    this.loader ??= new SampleLoader({ kind: "labelled", options: this.sample }, settings);
    const made = requireStep(await this.loader.next(), step);
    return { images: made.parts[0]!, labels: made.parts[1]!, waitSeconds: made.waitSeconds };
  }

  async *validationCases(): AsyncGenerator<LabelledCase> {
    for (const name of this.options.fold.validation) {
      const stored = await this.held.get(name);
      const { channels } = this.options;
      const size = stored.properties.shapes.stored;
      const voxels = size[0] * size[1] * size[2];
      const image = new Float32Array(channels * voxels);
      for (let c = 0; c < channels; c++) image.set(await stored.read([0, 0, 0], size, c), c * voxels);
      yield { name, image, label: await stored.read([0, 0, 0], size, channels), channels, size };
    }
  }

  async validationBatch(index: number): Promise<LabelledBatch> {
    const { batch, patch, channels } = this.options;
    const asked = performance.now();
    const voxels = patch[0] * patch[1] * patch[2];
    const images = new Float32Array(batch * channels * voxels);
    const labels = new Float32Array(batch * voxels);
    for (let i = 0; i < batch; i++) {
      const sample = await labelledValidationSample(this.held, this.sample, index * batch + i);
      images.set(sample.image, i * channels * voxels);
      labels.set(sample.label, i * voxels);
    }
    return { images, labels, waitSeconds: (performance.now() - asked) / 1000 };
  }

  async close(): Promise<void> {
    await this.loader?.close();
  }
}

/**
 * Patches of preprocessed, labelled cases.
 * @throws DataError when a case is damaged, or has other channels or labels
 */
export async function openLabelled(options: LabelledOptions): Promise<LabelledSource> {
  const { folder, fold } = options;
  const [training, validation] = await Promise.all([
    propertiesOf(folder, fold.training),
    propertiesOf(folder, fold.validation),
  ]);
  const cases = [...training, ...validation];
  requireCases(cases, options);
  const contents = cases.map(({ id, source, further = [], label, options: made }) => {
    const sources = [source, ...further.map((channel) => channel.source), label!.source];
    return [id, sources.map((file) => file.sha256), label!.scheme, made];
  });
  const fingerprint = sha256(JSON.stringify([training.length, contents]));
  const warnings = [
    ...(fold.warning ? [fold.warning] : []),
    ...missingClasses(training, "training"),
    ...missingClasses(validation, "validation"),
  ];
  return new CaseFolderSource(options, fingerprint, warnings);
}
