/**
 * Which blocks of a patch are masked (method of S3D, section "Masking"): the patch is cut into cubes of
 * `block` voxels, and trunc(ratio · cells) of them, drawn uniformly without replacement, are masked.
 * Pure functions of (seed, step, sample), so a resumed run draws the same masks.
 */
import { ArgumentRangeError } from "./errors";
import { type Random, rng } from "./random";

/** Share of masked blocks: fixed, or drawn uniformly from [low, high) (the paper's U[0.6, 0.9]). */
export type MaskRatio = number | readonly [low: number, high: number];

export interface MaskOptions {
  patch: readonly [number, number, number];
  /** Edge of a mask block in voxels; divides every axis of the patch. */
  block: number;
  ratio: MaskRatio;
  /** One ratio for the whole batch, or one a sample. */
  per: "batch" | "sample";
}

/** Masks of a batch, ready for `new BlockMask(...)`. */
export interface SampledMask {
  samples: number;
  grid: [number, number, number];
  /** samples · gd · gh · gw values in C order; 1 = visible, 0 = masked. */
  visible: Uint8Array;
  /** The ratio drawn for each sample; the masked share is trunc(ratio · cells) / cells. */
  ratios: number[];
}

/** Masks for the batch of one training step. */
export function sampleMask(
  options: MaskOptions,
  batch: { seed: number; step: number; samples: number },
): SampledMask {
  const { seed, step, samples } = batch;
  return build(options, samples, (sample) => ({
    ratio: drawRatio(options.ratio, rng(seed, step, "mask-ratio", options.per === "sample" ? sample : 0)),
    cells: rng(seed, step, "mask", sample),
  }));
}

/**
 * Masks of the fixed validation patches first … first + samples − 1. They depend on the seed alone, so that
 * validation losses of different steps compare the same task; each patch keeps its own ratio.
 */
export function validationMask(
  options: MaskOptions,
  batch: { seed: number; first?: number; samples: number },
): SampledMask {
  return build(options, batch.samples, (sample) => {
    const stream = rng(batch.seed, 0, "validation-mask", (batch.first ?? 0) + sample);
    return { ratio: drawRatio(options.ratio, stream), cells: stream };
  });
}

/** Lowest and highest ratio that may be drawn. */
export function ratioRange(ratio: MaskRatio): readonly [low: number, high: number] {
  return typeof ratio === "number" ? [ratio, ratio] : ratio;
}

/** The ratio of pictures where none is asked for. */
export function middleRatio(ratio: MaskRatio): number {
  const [low, high] = ratioRange(ratio);
  return (low + high) / 2;
}

/** Blocks along each axis of the patch. */
export function maskGrid(patch: readonly [number, number, number], block: number): [number, number, number] {
  if (!Number.isInteger(block) || block < 1 || patch.some((size) => size % block !== 0)) {
    throw new ArgumentRangeError(
      `A mask block of ${block} voxels does not divide the patch [${patch.join(", ")}].`,
    );
  }
  return [patch[0] / block, patch[1] / block, patch[2] / block];
}

/** Masked share of the blocks of a batch. */
export function maskedShare({ visible }: SampledMask): number {
  return visible.reduce((masked, v) => masked + (v ? 0 : 1), 0) / visible.length;
}

/** Number of masked cells at a ratio; refuses one that leaves nothing visible or nothing masked. */
export function maskedCount(cells: number, ratio: number): number {
  const masked = Math.trunc(ratio * cells);
  if (!(masked >= 1 && masked < cells)) {
    const found = masked >= 1 ? "nothing visible" : "nothing masked";
    throw new ArgumentRangeError(
      `A mask ratio of ${ratio} over ${cells} blocks leaves ${found}; trunc(ratio × blocks) must be 1 to ${cells - 1}.`,
    );
  }
  return masked;
}

function drawRatio(ratio: MaskRatio, stream: Random): number {
  if (typeof ratio !== "number" && !(ratio[0] <= ratio[1]))
    throw new ArgumentRangeError(`A range of mask ratios is [low, high], found [${ratio.join(", ")}].`);
  return typeof ratio === "number" ? ratio : stream.uniformIn(ratio[0], ratio[1]);
}

function build(
  options: MaskOptions,
  samples: number,
  draw: (sample: number) => { ratio: number; cells: Random },
): SampledMask {
  if (!Number.isInteger(samples) || samples < 1) {
    throw new ArgumentRangeError(`A mask needs at least one sample, found ${samples}.`);
  }
  const grid = maskGrid(options.patch, options.block);
  const cells = grid[0] * grid[1] * grid[2];
  const visible = new Uint8Array(samples * cells).fill(1);
  const ratios: number[] = [];
  for (let sample = 0; sample < samples; sample++) {
    const drawn = draw(sample);
    const order = drawn.cells.shuffle(Uint32Array.from({ length: cells }, (_, cell) => cell));
    for (const cell of order.subarray(0, maskedCount(cells, drawn.ratio))) visible[sample * cells + cell] = 0;
    ratios.push(drawn.ratio);
  }
  return { samples, grid, visible, ratios };
}
