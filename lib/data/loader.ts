/** Batches of patches for pre-training, made ahead in worker threads. */
import { requireOptions } from "../arguments";
import { type LoadOptions, SampleLoader } from "./sample-loader";
import type { SampleOptions } from "./samples";

export interface LoaderOptions extends SampleOptions, LoadOptions {}

export interface Batch {
  readonly step: number;
  readonly data: Float32Array; // (N, C, D, H, W)
  readonly shape: readonly [number, number, number, number, number];
  /** Case of each sample. */
  readonly cases: readonly string[];
  /** How long `next()` had to wait for this batch. */
  readonly waitSeconds: number;
}

/** Patches for pre-training, in batches. */
export class PatchLoader implements AsyncDisposable {
  private readonly loader: SampleLoader;
  private readonly shape: Batch["shape"];

  constructor(options: LoaderOptions) {
    requireOptions(options, "PatchLoader: options");
    const { folder, cases, patch, seed, channels = 1, augmentation, padding } = options;
    // Only what workers need; also keeps functions of a caller's object out of the message to them.
    const sample = { folder, cases, patch, seed, channels, augmentation, padding };
    this.loader = new SampleLoader({ kind: "patches", options: sample }, options);
    this.shape = [options.batch, channels, ...patch];
  }

  /** As `SampleLoader.next`. */
  async next(): Promise<Batch | undefined> {
    const batch = await this.loader.next();
    if (!batch) return undefined;
    const { step, parts, cases, waitSeconds } = batch;
    return { step, data: parts[0]!, shape: this.shape, cases, waitSeconds };
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Batch> {
    for (let batch = await this.next(); batch; batch = await this.next()) yield batch;
  }

  /** As `SampleLoader.close`. */
  close(): Promise<void> {
    return this.loader.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}
