/**
 * Sliding-window prediction of whole volumes (method.md §8): overlapping patches, Gaussian weights, mirroring and
 * ensembles as means of logits, everything added up in float32. The volume is worked through along z and given out
 * slab by slab, so that memory follows from the patch, not from the volume.
 */
import { requireOptions } from "../arguments";
import { ArgumentRangeError, ArgumentTypeError, NonFiniteError, ShapeError } from "../errors";
import { gaussianAccumulate, gaussianNormalize } from "../ops/gaussian-accumulate";
import { gradNorm } from "../ops/grad-norm";
import { scope } from "../scope";
import { sync, Tensor, tensor, zeros } from "../tensor";
import type { Triple } from "../triple";
import { gaussianWindow, mirrorings, planSlabs, type SlabPlan, windowStarts } from "./window";

/** (1, C, …patch) → logits (1, K, …patch). Called in a scope, which frees what it makes. */
export type Network = (patch: Tensor) => Tensor;

export interface SlidingWindowOptions {
  /** (z, y, x). */
  patch: Triple;
  /** Channels K of the logits. */
  channels: number;
  /** Distance of neighbouring patches at most, as a share of the patch. Default 0.5. */
  step?: number;
  /** Axes of test-time mirroring: 0 z, 1 y, 2 x; logits of all combinations are averaged. Default none. */
  mirror?: readonly (0 | 1 | 2)[];
  /** Whether voxels weigh less towards the patch's border. Default true. */
  gaussian?: boolean;
  /** Bytes that the sums may take; more means fewer, thicker slabs and the same bits. Default: as few as possible. */
  slabBytes?: number;
}

/** Finished rows [begin, end) of the volume along z. */
export interface Slab {
  begin: number;
  end: number;
  /** (K, end − begin, H, W). */
  logits: Float32Array;
}

export interface SlidingWindowProgress {
  /** Patches predicted, and to predict in all; an ensemble or mirrorings of one place count as one. */
  done: number;
  total: number;
  slab?: Slab;
}

interface Sums {
  sum: Tensor; // (1, K, rows, H, W)
  weight: Tensor; // (1, 1, rows, H, W)
}

/** Everything that stays the same from patch to patch. */
class Scene {
  readonly patch: Triple;
  readonly channels: number;
  readonly size: Triple; // of the volume
  readonly padded: Triple; // symmetric zero padding up to the patch, the odd voxel behind
  readonly low: Triple; // padding in front
  readonly flips: ReturnType<typeof mirrorings>;
  readonly starts: readonly [number[], number[], number[]];
  readonly window: Tensor | undefined;

  constructor(
    readonly networks: readonly Network[],
    readonly volume: Tensor,
    options: SlidingWindowOptions,
  ) {
    requireOptions(options, "slidingWindow: options");
    const { patch, channels, step = 0.5, mirror = [], gaussian = true } = options;
    if (volume.shape.length !== 5 || volume.shape[0] !== 1 || volume.mask)
      throw new ShapeError(
        "ERR_VOXELSPARK_SHAPE",
        `the volume has shape (${volume.shape.join(", ")}), allowed is a dense (1, C, D, H, W)`,
      );
    if (networks.length === 0) throw new ArgumentRangeError("there are 0 networks, allowed is at least 1");
    if (!Number.isInteger(channels) || channels < 1)
      throw new ArgumentRangeError(`channels is ${channels}, allowed are whole numbers from 1`);
    this.patch = patch;
    this.channels = channels;
    this.size = volume.shape.slice(2) as unknown as Triple;
    this.padded = this.size.map((s, a) => Math.max(s, patch[a]!)) as unknown as Triple;
    this.low = this.padded.map((p, a) => Math.floor((p - this.size[a]!) / 2)) as unknown as Triple;
    const along = (a: 0 | 1 | 2) => windowStarts(this.padded[a], patch[a], step);
    this.starts = [along(0), along(1), along(2)];
    this.flips = mirrorings(mirror);
    const { device, dtype } = volume;
    this.window = gaussian ? tensor(gaussianWindow(patch), [1, 1, ...patch], { device, dtype }) : undefined;
  }

  zeros(channels: number, size: Triple): Tensor {
    const { device, dtype } = this.volume;
    return zeros([1, channels, ...size], { device, dtype });
  }

  /** Where the patches of a slab start. */
  places({ starts }: SlabPlan): Triple[] {
    const [, ys, xs] = this.starts;
    return starts.flatMap((z) => ys.flatMap((y) => xs.map((x): Triple => [z, y, x])));
  }

  /** Sums for the rows of a slab, empty. */
  sums({ begin, end }: SlabPlan): Sums {
    const size = [end - begin, this.padded[1], this.padded[2]] as const;
    const sum = this.zeros(this.channels, size);
    try {
      return { sum, weight: this.zeros(1, size) };
    } catch (error) {
      sum.dispose();
      throw error;
    }
  }

  /** The volume's patch at `start` of the padded volume, zeros outside, mirrored. */
  private cut(start: Triple, flip: readonly [boolean, boolean, boolean]): Tensor {
    const x = this.zeros(this.volume.shape[1]!, this.patch);
    const offset = start.map((s, a) => {
      const first = s - this.low[a]!; // in the volume
      return flip[a] ? first + this.patch[a]! - this.size[a]! : -first;
    }) as unknown as Triple;
    gaussianAccumulate(x, undefined, this.volume, { offset, flip });
    return x;
  }

  /** Adds the logits of all networks and mirrorings at one place. */
  predict(start: Triple, { sum, weight }: Sums, begin: number): void {
    const { window } = this;
    const offset = [start[0] - begin, start[1], start[2]] as const;
    for (const network of this.networks)
      for (const flip of this.flips)
        scope(() => {
          const logits = network(this.cut(start, flip));
          const wanted = [1, this.channels, ...this.patch].join(", ");
          if (!(logits instanceof Tensor))
            throw new ArgumentTypeError(
              `the network made ${typeof logits}, a Tensor is needed, not a promise of one`,
            );
          if (logits.shape.join(", ") !== wanted)
            throw new ShapeError(
              "ERR_VOXELSPARK_SHAPE",
              `the network made logits of shape (${logits.shape.join(", ")}), allowed is (${wanted})`,
            );
          gaussianAccumulate(sum, weight, logits, { offset, window, flip });
        });
  }

  /** Mean logits of the rows that a slab completes; undefined where all of them are padding. */
  async finish({ sum, weight }: Sums, { begin, next }: SlabPlan): Promise<Slab | undefined> {
    const [first, last] = [begin, next].map((z) => Math.min(Math.max(z - this.low[0], 0), this.size[0])) as [
      number,
      number,
    ];
    if (first === last) return undefined;
    const size = [last - first, this.size[1], this.size[2]] as const;
    const offset = [begin - this.low[0] - first, -this.low[1], -this.low[2]] as const;
    const [mean, norm] = scope(() => {
      const [rows, weights] = [this.zeros(this.channels, size), this.zeros(1, size)];
      gaussianAccumulate(rows, undefined, sum, { offset });
      gaussianAccumulate(weights, undefined, weight, { offset });
      gaussianNormalize(rows, weights);
      return [rows, gradNorm([rows])] as const;
    });
    try {
      if (!Number.isFinite(await norm.item()))
        throw new NonFiniteError(
          "ERR_VOXELSPARK_NON_FINITE",
          `logits between z = ${first} and ${last - 1} are not finite; the input or the weights hold NaN or infinity`,
        );
      return { begin: first, end: last, logits: (await mean.data()) as Float32Array };
    } finally {
      mean.dispose();
      norm.dispose();
    }
  }

  /** Rows of a slab that fit into `bytes`, the sums being there twice while rows pass from one slab to the next. */
  rowsWithin(bytes: number | undefined): number {
    const row = 2 * 4 * (this.channels + 1) * this.padded[1] * this.padded[2];
    const least = row * this.patch[0];
    if (bytes === undefined) return this.patch[0];
    if (!(bytes >= least))
      throw new ArgumentRangeError(
        `slabBytes is ${bytes}, allowed is at least ${least} for patches of ${this.patch[0]} rows`,
      );
    return Math.floor(bytes / row);
  }
}

const release = (sums: Sums | undefined) => {
  sums?.sum.dispose();
  sums?.weight.dispose();
};

/** Hands the rows that two slabs share to the later one: 0 + x is x, so nothing is rounded. */
function handOver(from: Sums, to: Sums, rows: number): void {
  gaussianAccumulate(to.sum, undefined, from.sum, { offset: [-rows, 0, 0] });
  gaussianAccumulate(to.weight, undefined, from.weight, { offset: [-rows, 0, 0] });
}

/**
 * Predicts a volume and yields after every patch; whenever rows along z are complete, with their logits. Slabs come in
 * order and cover the volume exactly. A volume smaller than the patch is padded with zeros on both sides.
 *
 * @param networks one, or an ensemble whose logits are averaged
 * @param volume (1, C, D, H, W), dense, preprocessed
 * @throws ShapeError, ArgumentRangeError; NonFiniteError when logits are NaN or infinite
 */
export async function* slidingWindow(
  networks: Network | readonly Network[],
  volume: Tensor,
  options: SlidingWindowOptions,
): AsyncGenerator<SlidingWindowProgress, void> {
  const scene = new Scene(typeof networks === "function" ? [networks] : networks, volume, options);
  const total = scene.starts.reduce((count, along) => count * along.length, 1);
  let done = 0;
  let sums: Sums | undefined;
  try {
    const rows = scene.rowsWithin(options.slabBytes);
    let before: SlabPlan | undefined;
    for (const slab of planSlabs(scene.starts[0], scene.patch[0], scene.padded[0], rows)) {
      const fresh = scene.sums(slab);
      if (sums && before) handOver(sums, fresh, slab.begin - before.begin);
      release(sums);
      sums = fresh;
      for (const place of scene.places(slab)) {
        scene.predict(place, sums, slab.begin);
        await sync();
        done++;
        yield { done, total };
      }
      const finished = await scene.finish(sums, slab);
      if (finished) yield { done, total, slab: finished };
      before = slab;
    }
  } finally {
    release(sums);
    scene.window?.dispose();
  }
}

/**
 * The same with all logits in memory at the end.
 * @returns (K, D, H, W)
 */
export async function* predictLogits(
  networks: Network | readonly Network[],
  volume: Tensor,
  options: SlidingWindowOptions,
): AsyncGenerator<SlidingWindowProgress, Float32Array> {
  const [depth, height, width] = volume.shape.slice(2) as [number, number, number];
  const plane = height * width;
  let logits: Float32Array | undefined;
  for await (const progress of slidingWindow(networks, volume, options)) {
    const { slab } = progress;
    if (slab) {
      logits ??= new Float32Array(options.channels * depth * plane);
      const length = (slab.end - slab.begin) * plane;
      for (let k = 0; k < options.channels; k++)
        logits.set(slab.logits.subarray(k * length, (k + 1) * length), (k * depth + slab.begin) * plane);
    }
    yield progress;
  }
  return logits!;
}
