/**
 * What nnU-Net's default augmentation does to one labelled patch (method.md §7.5): every parameter, and the draws.
 * A draw is a pure function of its random stream, the number of channels and the settings.
 */
import type { Random } from "../random";
import type { Triple } from "../triple";
import type { Vector3 } from "./geometry";
import { isFlat, largestTurn } from "./patches";

type Range = readonly [number, number];

/** Applied to a sample with this probability; values are drawn uniformly from the range. */
export interface RangedTransform {
  readonly probability: number;
  readonly range: Range;
}

/** The same for transforms that then spare each channel with probability 1 − channelProbability. */
export interface ChannelTransform extends RangedTransform {
  readonly channelProbability: number;
}

/** In the order in which the transforms follow each other. */
export interface SegmentationAugmentation {
  /** About each axis by an angle of its own, up to `degrees`; flat patches turn in their slices by up to 180°. */
  readonly rotation: { readonly probability: number; readonly degrees: number };
  /** Of the coordinates, all axes alike: above 1 the content shrinks. */
  readonly scaling: RangedTransform;
  /** Of the image under rotation and scaling; labels go to the label with the most linear weight. */
  readonly interpolation: "linear" | "cubic";
  /** Range of the deviation of Gaussian noise; all channels get the same noise. */
  readonly noise: RangedTransform;
  /** Range of the deviation in voxels of a Gaussian, one for each axis. */
  readonly blur: ChannelTransform;
  /** Factor: half of the draws fall below 1, half above; so for contrast and gamma. */
  readonly brightness: RangedTransform;
  /** Factor on the distance from the mean; the channel's range is kept. */
  readonly contrast: RangedTransform;
  /** Share of the voxels along each axis that is kept (nearest) before going back (linear). */
  readonly lowResolution: ChannelTransform;
  /** Exponent, applied to the negated image; mean and deviation are kept. */
  readonly invertedGamma: RangedTransform;
  readonly gamma: RangedTransform;
  /** Each of the axes (0 z, 1 y, 2 x) on its own. */
  readonly mirroring: { readonly probability: number; readonly axes: readonly number[] };
}

/** nnU-Net's default training augmentation. */
export const NNUNET_AUGMENTATION: SegmentationAugmentation = {
  rotation: { probability: 0.2, degrees: 30 },
  scaling: { probability: 0.2, range: [0.7, 1.4] },
  interpolation: "linear",
  noise: { probability: 0.1, range: [0, 0.1] },
  blur: { probability: 0.2, channelProbability: 0.5, range: [0.5, 1] },
  brightness: { probability: 0.15, range: [0.75, 1.25] },
  contrast: { probability: 0.15, range: [0.75, 1.25] },
  lowResolution: { probability: 0.25, channelProbability: 0.5, range: [0.5, 1] },
  invertedGamma: { probability: 0.1, range: [0.7, 1.5] },
  gamma: { probability: 0.3, range: [0.7, 1.5] },
  mirroring: { probability: 0.5, axes: [0, 1, 2] },
};

const never = <T extends { readonly probability: number }>(transform: T): T => ({
  ...transform,
  probability: 0,
});

/** Every patch stays as it is. */
export const NO_AUGMENTATION: SegmentationAugmentation = {
  rotation: never(NNUNET_AUGMENTATION.rotation),
  scaling: never(NNUNET_AUGMENTATION.scaling),
  interpolation: "linear",
  noise: never(NNUNET_AUGMENTATION.noise),
  blur: never(NNUNET_AUGMENTATION.blur),
  brightness: never(NNUNET_AUGMENTATION.brightness),
  contrast: never(NNUNET_AUGMENTATION.contrast),
  lowResolution: never(NNUNET_AUGMENTATION.lowResolution),
  invertedGamma: never(NNUNET_AUGMENTATION.invertedGamma),
  gamma: never(NNUNET_AUGMENTATION.gamma),
  mirroring: never(NNUNET_AUGMENTATION.mirroring),
};

/** Mirroring alone. */
export const MIRROR_AUGMENTATION: SegmentationAugmentation = {
  ...NO_AUGMENTATION,
  mirroring: NNUNET_AUGMENTATION.mirroring,
};

/** What one patch undergoes; undefined: not applied. Arrays have an entry for each channel. */
export interface DrawnSegmentation {
  /** Radians about axes 0, 1, 2. */
  readonly angles?: Vector3 | undefined;
  /** 1: not scaled. */
  readonly scale: number;
  /** The noise is the stream of `seed`. */
  readonly noise?: { readonly sigma: number; readonly seed: number } | undefined;
  readonly blur?: readonly (Vector3 | undefined)[] | undefined;
  readonly brightness?: readonly number[] | undefined;
  readonly contrast?: readonly number[] | undefined;
  readonly lowResolution?: readonly (number | undefined)[] | undefined;
  readonly invertedGamma?: readonly number[] | undefined;
  readonly gamma?: readonly number[] | undefined;
  readonly mirrored: readonly [boolean, boolean, boolean];
}

const { PI, max } = Math;

/** Half of the draws below 1 where the range reaches below, half above. */
export function drawFactor(random: Random, [low, high]: Range): number {
  const u = random.uniform();
  const shrinks = u < 0.5 && low < 1;
  return shrinks ? random.uniformIn(low, 1) : random.uniformIn(max(low, 1), high);
}

/** The draws of one patch, made in the order in which they are asked for. */
class Draws {
  constructor(
    private readonly random: Random,
    private readonly channels: number,
  ) {}

  happens({ probability }: { readonly probability: number }): boolean {
    return this.random.uniform() < probability;
  }

  within([low, high]: Range): number {
    return this.random.uniformIn(low, high);
  }

  triple(range: Range): Vector3 {
    return [this.within(range), this.within(range), this.within(range)];
  }

  /** A value for each channel, undefined for those that are spared. */
  some<T>({ channelProbability }: ChannelTransform, draw: () => T): (T | undefined)[] {
    return Array.from({ length: this.channels }, () => {
      const chosen = this.random.uniform() < channelProbability;
      const value = draw();
      return chosen ? value : undefined;
    });
  }

  /** A factor for each channel. */
  factors(transform: RangedTransform): number[] | undefined {
    const applies = this.happens(transform);
    const values = Array.from({ length: this.channels }, () => drawFactor(this.random, transform.range));
    return applies ? values : undefined;
  }
}

/** Draws in a fixed order, used or not, so that no probability moves the other draws. */
export function drawSegmentation(
  patch: Triple,
  channels: number,
  random: Random,
  settings: SegmentationAugmentation,
): DrawnSegmentation {
  const draws = new Draws(random, channels);
  const flat = isFlat(patch);
  const limit = (largestTurn(patch, settings.rotation.degrees) / 180) * PI;
  const rotates = draws.happens(settings.rotation);
  const angles = draws.triple([-limit, limit]);
  const scales = draws.happens(settings.scaling);
  const scale = draws.within(settings.scaling.range);
  const noisy = draws.happens(settings.noise);
  const noise = { sigma: draws.within(settings.noise.range), seed: random.int(2 ** 53) };
  const blurs = draws.happens(settings.blur);
  const blur = draws.some(settings.blur, () => draws.triple(settings.blur.range));
  const brightness = draws.factors(settings.brightness);
  const contrast = draws.factors(settings.contrast);
  const coarsens = draws.happens(settings.lowResolution);
  const lowResolution = draws.some(settings.lowResolution, () => draws.within(settings.lowResolution.range));
  const invertedGamma = draws.factors(settings.invertedGamma);
  const gamma = draws.factors(settings.gamma);
  const { probability, axes } = settings.mirroring;
  const mirrored = draws.triple([0, 1]).map((u, axis) => axes.includes(axis) && u < probability);
  return {
    angles: rotates ? (flat ? [angles[0], 0, 0] : angles) : undefined,
    scale: scales ? scale : 1,
    noise: noisy ? noise : undefined,
    blur: blurs ? blur : undefined,
    lowResolution: coarsens ? lowResolution : undefined,
    ...{ brightness, contrast, invertedGamma, gamma },
    mirrored: mirrored as [boolean, boolean, boolean],
  };
}
