import { requireOptions } from "./arguments";
import { native } from "./binding";
import { ArgumentRangeError, ArgumentTypeError } from "./errors";
import { track } from "./scope";

export interface BlockMaskOptions {
  /** Number of samples in the batch. */
  samples: number;
  /** Cells per axis, (D, H, W). The block edge at a stage is its volume size divided by this. */
  grid: readonly [number, number, number];
  /** One byte a cell, 1 = visible, samples × D × H × W in C order. */
  visible: Uint8Array;
}

/**
 * Which cells of a regular grid over the volume are visible: a value, passed explicitly, the same for every stage of
 * a network. Sparse tensors store and compute the visible blocks only.
 *
 * @throws ArgumentRangeError when nothing is visible or nothing is masked in a sample
 */
export class BlockMask implements Disposable {
  readonly samples: number;
  readonly grid: readonly [number, number, number];
  readonly visible: Uint8Array;
  /** Visible cells of all samples together. */
  readonly visibleCount: number;
  private readonly id: number;
  private owners = 1;
  private released = false;

  constructor(options: BlockMaskOptions) {
    const { samples, grid, visible } = requireOptions(options, "BlockMask: options");
    if (!(visible instanceof Uint8Array) && Object.prototype.toString.call(visible) !== "[object Uint8Array]")
      throw new ArgumentTypeError("visible must be a Uint8Array");
    if (!Array.isArray(grid) || grid.length !== 3)
      throw new ArgumentTypeError("grid must be the three numbers of cells along D, H and W");
    const cells = grid[0] * grid[1] * grid[2];
    this.id = native.createGrid(samples, [...grid], visible);
    this.samples = samples;
    this.grid = [grid[0], grid[1], grid[2]];
    this.visible = visible.map((v) => (v ? 1 : 0));
    this.visibleCount = this.visible.reduce((sum, v) => sum + v, 0);
    for (let n = 0; n < samples; n++) {
      const count = this.visible.subarray(n * cells, (n + 1) * cells).reduce((sum, v) => sum + v, 0);
      if (count > 0 && count < cells) continue;
      native.disposeGrid(this.id);
      throw new ArgumentRangeError(
        `the mask of sample ${n} has ${count} visible of ${cells} cells; at least one must be visible and one masked`,
      );
    }
    track(this);
  }

  /** Share of visible cells over the whole batch. */
  get visibleShare(): number {
    return this.visibleCount / this.visible.length;
  }

  /** Whether both masks show the same cells; tensors under equal masks may be combined only if it is the same object. */
  equals(other: BlockMask): boolean {
    return (
      this.samples === other.samples &&
      this.grid.every((g, i) => g === other.grid[i]) &&
      this.visible.every((v, i) => v === other.visible[i])
    );
  }

  /**
   * @internal Shows other cells from now on, in the order of launches, to whoever holds the mask; every sample keeps their
   * number. Tensors stored under it hold other voxels then: for steps that are repeated, where none is left.
   */
  moveTo(visible: Uint8Array): void {
    native.writeGrid(this.handle, visible);
    this.visible.set(visible.map((v) => (v ? 1 : 0)));
  }

  /** @internal The native handle. @throws ArgumentTypeError when neither its owner nor a tensor holds it any more */
  get handle(): number {
    if (this.owners === 0)
      throw new ArgumentTypeError("a mask is used after dispose()", "ERR_VOXELSPARK_DISPOSED");
    return this.id;
  }

  /** @internal Tensors stored under the mask hold it. */
  retain(): void {
    this.owners++;
  }

  /** @internal */
  release(): void {
    if (--this.owners === 0) native.disposeGrid(this.id);
  }

  /** Ends the caller's use; tensors stored under the mask keep it as long as they live. */
  dispose(): void {
    if (this.released) return;
    this.released = true;
    this.release();
  }
  [Symbol.dispose](): void {
    this.dispose();
  }
}
