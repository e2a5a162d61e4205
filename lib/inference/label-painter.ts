/**
 * From logits in the preprocessed grid back to the grid of the image (method.md §8): linear resampling of the logits, the
 * most likely class, and the place in the uncropped volume. Slabs come in as the sliding window finishes them, and only
 * two rows along z are kept between them, so that memory does not grow with the number of classes times the volume.
 */
import { separateAxis } from "../data/preprocess-steps";
import { channelsOf, hasRegions, type LabelScheme } from "../labels";
import { resize } from "../ops/resample";
import { tensor } from "../tensor";
import type { Triple } from "../triple";
import type { Slab } from "./sliding-window";

/** How a preprocessed case lies in its image; triples are (z, y, x). */
export interface CaseGrid {
  readonly shapes: { readonly source: Triple; readonly cropped: Triple; readonly stored: Triple };
  /** First voxel of the cropped box in the image. */
  readonly crop: { readonly start: Triple };
  /** mm, of the image and of the preprocessed grid. */
  readonly spacing: { readonly source: Triple; readonly stored: Triple };
}

export type LabelArray = Uint8Array | Int16Array | Uint16Array;

/** Takes the probabilities of one row along z of the cropped box, (K, H, W); it is overwritten afterwards. */
export type ProbabilitySink = (z: number, probabilities: Float32Array) => Promise<void>;

/** One row along z of logits in the image's own y and x: channel k begins at `first + k · stride`. */
interface Row {
  data: Float32Array;
  first: number;
  stride: number;
}

/** Where an output row reads: two input rows, and how much the second one counts. */
interface Place {
  low: number;
  high: number;
  weight: number;
}

const CHUNK_BYTES = 2 ** 26; // of logits that are resampled in y and x at a time

/** Pixel-centre mapping with edge extension of `n` rows onto `m`, as `resize` does it. */
function places(n: number, m: number, nearest: boolean): Place[] {
  const within = (row: number) => Math.min(Math.max(row, 0), n - 1);
  return Array.from({ length: m }, (_, i) => {
    const at = (i + 0.5) * (n / m) - 0.5;
    if (nearest) return { low: within(Math.floor(at + 0.5)), high: within(Math.floor(at + 0.5)), weight: 0 };
    const below = Math.floor(at);
    return { low: within(below), high: within(below + 1), weight: at - below };
  });
}

/** The smallest integer type of NIfTI that holds every label: uint8, int16 or uint16. */
function labelArray(most: number, size: number): LabelArray {
  return new (most < 256 ? Uint8Array : most < 32768 ? Int16Array : Uint16Array)(size);
}

export class LabelPainter {
  /** (D, H, W) of the image, 0 outside of the cropped box. */
  readonly labels: LabelArray;
  private readonly values: readonly number[]; // the label of each channel
  private readonly regions: boolean;
  private readonly rows: readonly Place[];
  private readonly orders: readonly [0 | 1, 0 | 1, 0 | 1];
  private readonly logits: Float32Array; // (K, H, W), of the output row in hand
  private readonly best: Float32Array; // (H, W)
  private before: Row | undefined;
  private read = 0; // input rows
  private painted = 0; // output rows

  /**
   * @param threshold ratio of spacings above which the coarse axis is resampled on its own, nearest
   * @param sink wants the probabilities as well
   */
  constructor(
    scheme: LabelScheme,
    private readonly grid: CaseGrid,
    threshold: number,
    private readonly sink?: ProbabilitySink,
  ) {
    const { shapes, spacing } = grid;
    const channels = channelsOf(scheme);
    this.regions = hasRegions(scheme);
    this.values = this.regions ? scheme.regionsClassOrder! : channels.map(({ labels }) => labels[0]!);
    const voxels = shapes.source.reduce((a, b) => a * b, 1);
    this.labels = labelArray(Math.max(...this.values), voxels);
    const coarse = separateAxis([...spacing.stored], [...spacing.source], threshold);
    this.orders = [coarse === 0 ? 0 : 1, coarse === 1 ? 0 : 1, coarse === 2 ? 0 : 1];
    this.rows = places(shapes.stored[0], shapes.cropped[0], coarse === 0);
    const plane = shapes.cropped[1] * shapes.cropped[2];
    this.logits = new Float32Array(channels.length * plane);
    this.best = new Float32Array(plane);
  }

  /** Takes the next rows along z; slabs must come in order. */
  async add({ begin, end, logits }: Slab): Promise<void> {
    const [, height, width] = this.grid.shapes.cropped;
    const rowBytes = 4 * this.values.length * height * width;
    const most = Math.max(1, Math.floor(CHUNK_BYTES / rowBytes));
    for (let first = begin; first < end; first += most) {
      const count = Math.min(most, end - first);
      const chunk = await this.inPlane(logits, end - begin, first - begin, count);
      for (let r = 0; r < count; r++) await this.take(chunk(r));
    }
  }

  /** Rows [first, first + count) of a slab, resampled in y and x. */
  private async inPlane(
    logits: Float32Array,
    slabRows: number,
    first: number,
    count: number,
  ): Promise<(row: number) => Row> {
    const { stored, cropped } = this.grid.shapes;
    const plane = stored[1] * stored[2];
    const rowsOf = (data: Float32Array, size: number, from: number, all: number) => (row: number) => ({
      data,
      first: (from + row) * size,
      stride: all * size,
    });
    if (stored[1] === cropped[1] && stored[2] === cropped[2]) return rowsOf(logits, plane, first, slabRows);
    const channels = this.values.length;
    const part = new Float32Array(channels * count * plane);
    for (let k = 0; k < channels; k++) {
      const from = (k * slabRows + first) * plane;
      part.set(logits.subarray(from, from + count * plane), k * count * plane);
    }
    using x = tensor(part, [1, channels, count, stored[1], stored[2]], { device: "cpu" });
    using y = resize(x, [count, cropped[1], cropped[2]], {
      order: [0, this.orders[1], this.orders[2]],
      clip: false, // linear weights never leave the range
    });
    return rowsOf((await y.data()) as Float32Array, cropped[1] * cropped[2], 0, count);
  }

  /** Paints every output row that input row number `read` completes. */
  private async take(row: Row): Promise<void> {
    const { rows, read } = this;
    for (; this.painted < rows.length && rows[this.painted]!.high === read; this.painted++) {
      const { low, weight } = rows[this.painted]!;
      this.mix(low === read ? row : this.before!, row, weight);
      this.paint(this.painted);
      if (this.sink) await this.sink(this.painted, this.probabilities());
    }
    this.before = row;
    this.read++;
  }

  private mix(low: Row, high: Row, weight: number): void {
    const { logits } = this;
    const plane = this.best.length;
    for (let k = 0; k < this.values.length; k++) {
      const to = k * plane;
      const a = low.first + k * low.stride;
      if (weight === 0) {
        logits.set(low.data.subarray(a, a + plane), to);
        continue;
      }
      const b = high.first + k * high.stride;
      for (let i = 0; i < plane; i++)
        logits[to + i] = low.data[a + i]! * (1 - weight) + high.data[b + i]! * weight;
    }
  }

  /** Classes: the largest logit, of equal ones the first. Regions: those above 0.5, later ones over earlier ones. */
  private paint(z: number): void {
    const { best, logits, values, regions, labels } = this;
    const { source, cropped } = this.grid.shapes;
    const [z0, y0, x0] = this.grid.crop.start;
    const [, height, width] = cropped;
    best.fill(regions ? 0 : Number.NEGATIVE_INFINITY); // sigmoid(0) = 0.5
    for (let k = 0, at = 0; k < values.length; k++) {
      const value = values[k]!;
      for (let y = 0, i = 0; y < height; y++) {
        const to = ((z0 + z) * source[1] + y0 + y) * source[2] + x0;
        for (let x = 0; x < width; x++, i++, at++) {
          const logit = logits[at]!;
          if (logit <= best[i]!) continue;
          labels[to + x] = value;
          if (!regions) best[i] = logit;
        }
      }
    }
  }

  /** Softmax of classes, sigmoid of regions, in the place of the logits. */
  private probabilities(): Float32Array {
    const { logits, best } = this;
    const plane = best.length;
    if (this.regions) {
      for (let i = 0; i < logits.length; i++) logits[i] = 1 / (1 + Math.exp(-logits[i]!));
      return logits;
    }
    for (let i = 0; i < plane; i++) {
      let sum = 0; // `best` is the largest logit since `paint`
      for (let at = i; at < logits.length; at += plane) sum += Math.exp(logits[at]! - best[i]!);
      for (let at = i; at < logits.length; at += plane) logits[at] = Math.exp(logits[at]! - best[i]!) / sum;
    }
    return logits;
  }
}
