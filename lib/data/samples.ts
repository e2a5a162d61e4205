/** Training and validation samples as pure functions of (seed, step, index): the same in any thread. */
import { DataError } from "../errors";
import { rng } from "../random";
import type { Triple } from "../triple";
import { type AugmentationOptions, augmentedPatch, drawAugmentation } from "./augment";
import type { StoredCase } from "./case-store";
import { type CaseSet, enlargedPatch, fillOf, type Padding, placeBox, readPadded } from "./patches";

/** What samples are made of; plain data, so that it can be sent to a worker. */
export interface SampleOptions {
  /** Folder of preprocessed cases. */
  readonly folder: string;
  /** Ids of the cases to draw from. Their order counts. */
  readonly cases: readonly string[];
  /** Voxels of a patch (z, y, x). */
  readonly patch: Triple;
  readonly seed: number;
  /** Channels that every case must have. Default 1. */
  readonly channels?: number;
  /** undefined: plain patches. */
  readonly augmentation?: AugmentationOptions;
  /** Default "minimum"; upstream pads with "zero". */
  readonly padding?: Padding;
}

export interface Sample {
  readonly case: string;
  readonly data: Float32Array; // (C, D, H, W)
}

function requireChannels(stored: StoredCase, { channels = 1 }: SampleOptions): void {
  if (stored.shape[0] !== channels) {
    throw new DataError(
      "ERR_VOXELSPARK_DATA",
      `Case ${stored.properties.id} has ${stored.shape[0]} channels, ${channels} are expected.`,
    );
  }
}

/** A failure while a sample was made, with the case that it was made from. */
export class SampleFailure extends Error {
  constructor(
    readonly caseId: string,
    override readonly cause: unknown,
  ) {
    super((cause as Error).message);
  }
}

/** Sample `index` of training step `step`: case, place and augmentation are drawn from streams of their own. */
export async function trainingSample(
  set: CaseSet,
  options: SampleOptions,
  step: number,
  index: number,
): Promise<Sample> {
  const { seed, patch, augmentation, padding = "minimum" } = options;
  const id = set.draw(seed, step, "case", index);
  try {
    const stored = await set.get(id);
    requireChannels(stored, options);
    const shape = stored.shape.slice(1) as [number, number, number];
    const box = augmentation ? enlargedPatch(patch, augmentation.rotation.degrees) : patch;
    const start = placeBox(shape, box, patch, rng(seed, step, "patch", index));
    if (!augmentation)
      return { case: id, data: await readPadded(stored, start, patch, fillOf(stored, padding)) };
    const drawn = drawAugmentation(augmentation, patch, seed, step, index);
    const { interpolation } = augmentation;
    const data = await augmentedPatch(stored, { start, box, patch }, drawn, { interpolation, padding });
    return { case: id, data };
  } catch (error) {
    throw new SampleFailure(id, error);
  }
}

/** Fixed validation patch number `index`: never augmented, the same at every validation. */
export async function validationSample(set: CaseSet, options: SampleOptions, index: number): Promise<Sample> {
  const random = rng(options.seed, 0, "validation-patch", index);
  const id = set.ids[random.int(set.ids.length)]!;
  const stored = await set.get(id);
  requireChannels(stored, options);
  const shape = stored.shape.slice(1) as [number, number, number];
  const start = placeBox(shape, options.patch, options.patch, random);
  return {
    case: id,
    data: await readPadded(stored, start, options.patch, fillOf(stored, options.padding ?? "minimum")),
  };
}
