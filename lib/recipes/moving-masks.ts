import { BlockMask } from "../block-mask";
import type { SampledMask } from "../masking";
import { keep } from "../scope";

/** Masks that stay where they are while their cells move: one for each number of visible cells in the samples. */
export class MovingMasks implements Disposable {
  private readonly masks = new Map<string, BlockMask>();

  /** @returns the mask with these cells, and the name of its numbers */
  show(sampled: SampledMask): { kind: string; mask: BlockMask } {
    const { samples, visible } = sampled;
    const cells = visible.length / samples;
    const count = (n: number) => visible.subarray(n * cells, (n + 1) * cells).reduce((sum, v) => sum + v, 0);
    const kind = Array.from({ length: samples }, (_, n) => count(n)).join();
    const known = this.masks.get(kind);
    if (known) known.moveTo(visible);
    const mask = known ?? keep(new BlockMask(sampled));
    this.masks.set(kind, mask);
    return { kind, mask };
  }

  dispose(): void {
    for (const mask of this.masks.values()) mask.dispose();
    this.masks.clear();
  }
  [Symbol.dispose](): void {
    this.dispose();
  }
}
