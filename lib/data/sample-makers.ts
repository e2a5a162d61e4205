/** What a loader can make, in this thread or in workers: a job is plain data, its samples are made of parts. */
import { type LabelledSampleOptions, labelledSample } from "./labelled-samples";
import { CaseSet } from "./patches";
import { type SampleOptions, trainingSample } from "./samples";

export type SampleJob =
  | { readonly kind: "patches"; readonly options: SampleOptions }
  | { readonly kind: "labelled"; readonly options: LabelledSampleOptions };

export interface MadeSample {
  readonly case: string;
  readonly parts: readonly Float32Array[];
}

export interface SampleMaker {
  /** A pure function of (seed, step, index). Throws SampleFailure. */
  make(step: number, index: number): Promise<MadeSample>;
  /** Case that a sample is made from. */
  caseOf(step: number, index: number): string;
}

export function sampleMaker({ kind, options }: SampleJob): SampleMaker {
  const set = new CaseSet(options.folder, options.cases);
  const caseOf = (step: number, index: number) => set.draw(options.seed, step, "case", index);
  if (kind === "labelled")
    return {
      caseOf,
      make: async (step, index) => {
        const sample = await labelledSample(set, options, step, index);
        return { case: sample.case, parts: [sample.image, sample.label] };
      },
    };
  return {
    caseOf,
    make: async (step, index) => {
      const sample = await trainingSample(set, options, step, index);
      return { case: sample.case, parts: [sample.data] };
    },
  };
}

/** Numbers in each part of a sample. */
function partSizes({ kind, options }: SampleJob): number[] {
  const voxels = options.patch[0] * options.patch[1] * options.patch[2];
  const image = (options.channels ?? 1) * voxels;
  return kind === "labelled" ? [image, voxels] : [image];
}

/** Bytes of a batch of `samples`. */
export function batchBytes(job: SampleJob, samples: number): number {
  return 4 * samples * partSizes(job).reduce((a, b) => a + b, 0);
}

/** The parts of a batch in its memory, each of all samples. */
export function batchParts(job: SampleJob, memory: ArrayBufferLike, samples: number): Float32Array[] {
  let at = 0;
  return partSizes(job).map((size) => {
    const part = new Float32Array(memory, at * 4, size * samples);
    at += part.length;
    return part;
  });
}

/** Writes sample `index` into the parts of its batch. */
export function putSample(sample: MadeSample, batch: readonly Float32Array[], index: number): void {
  for (const [p, part] of sample.parts.entries()) batch[p]!.set(part, index * part.length);
}
