import { requireArray, requireOptions } from "../arguments";
import { BlockMask } from "../block-mask";
import { ArgumentRangeError, ShapeError } from "../errors";
import { Conv3d, ConvNormAct, ConvTranspose3d } from "../nn/conv";
import type { Initializer } from "../nn/init";
import { Module } from "../nn/module";
import type { NormKind } from "../nn/norm";
import { add } from "../ops/add";
import { applyMask } from "../ops/apply-mask";
import { avgPool3d } from "../ops/avg-pool3d";
import { cast } from "../ops/cast";
import type { Winograd } from "../ops/conv3d";
import { densify } from "../ops/densify";
import type { FoldedSkip } from "../ops/folded-conv3d";
import { leakyRelu } from "../ops/leaky-relu";
import { residual } from "../ops/residual";
import { scope } from "../scope";
import type { DType, Tensor } from "../tensor";
import type { Triple } from "../triple";

/** Everything that shapes a residual-encoder U-Net; one entry per stage, highest resolution first. */
export interface ResEncUNetOptions {
  inChannels: number;
  outChannels: number;
  /** Channels of each stage. */
  features: readonly number[];
  /** Residual blocks of each stage. */
  blocks: readonly number[];
  /** Kernel of each stage; odd. */
  kernels: readonly Triple[];
  /** Stride of each stage's first block; the first is usually 1. */
  strides: readonly Triple[];
  norm: NormKind;
  /** Fast algorithms that 3×3×3 convolutions may use; default "off". */
  winograd?: Winograd | undefined;
  /**
   * Apply norms where they are read instead of writing their output, and end residual blocks in one pass.
   * The same but for rounding. Default true; off, the plain path is the reference.
   */
  fusion?: boolean | undefined;
  /** Type of the feature maps; input and output are float32 whatever it is. Default: that of the input. */
  dtype?: DType | undefined;
  /** Convolution units of each decoder stage, lowest resolution first. */
  decoder: { convs: readonly number[] };
}

/** What a plan's check finds before: callers without one would meet a TypeError deep in a stage. */
function requireStages(options: ResEncUNetOptions): void {
  const { features, blocks, kernels, strides, decoder } = requireOptions(options, "ResEncUNet: options");
  const lists = { features, blocks, kernels, strides, "decoder.convs": decoder?.convs };
  for (const [name, list] of Object.entries(lists)) {
    requireArray(list, `ResEncUNet: ${name}`);
    const wanted = features.length - (name === "decoder.convs" ? 1 : 0);
    if (wanted < 1 || list.length !== wanted)
      throw new ArgumentRangeError(
        `ResEncUNet: ${name} has ${list.length} entries, allowed are ${Math.max(wanted, 1)} with ${features.length} features`,
      );
  }
}

/** What happens where a stage's voxels are larger than the blocks of the mask. */
export type CoarseRule = "dense" | "any";

const SLOPE = 0.01;
const unit: Triple = [1, 1, 1];
const isUnit = (s: Triple) => s.every((v) => v === 1);

/** x in the type; itself if it has it, or if none is asked for. */
const typed = (x: Tensor, dtype: DType | undefined) => (!dtype || x.dtype === dtype ? x : cast(x, dtype));

/** Two convolution units around a skip: conv-norm-act, conv-norm, + skip, act (BasicBlockD). */
export class ResidualBlock extends Module {
  readonly parts: { conv1: ConvNormAct; conv2: ConvNormAct; skip: Readonly<Record<string, ConvNormAct>> };
  private readonly fusion: boolean;

  constructor(
    init: Initializer,
    inChannels: number,
    outChannels: number,
    kernel: Triple,
    private readonly stride: Triple,
    options: Pick<ResEncUNetOptions, "norm" | "winograd" | "fusion">,
  ) {
    super();
    const { norm, winograd, fusion = true } = options;
    this.fusion = fusion;
    const convolution = { kernel, norm, winograd, fusion };
    const conv1 = new ConvNormAct(init, inChannels, outChannels, { ...convolution, stride, slope: SLOPE });
    const conv2 = new ConvNormAct(init, outChannels, outChannels, { ...convolution, slope: 1 });
    // The skip path is pooling, which has no parameters, then a projection; the state dict numbers what exists.
    const place = isUnit(stride) ? "0" : "1";
    const skip: Record<string, ConvNormAct> = {};
    const projection = { kernel: unit, bias: false, norm, slope: 1, fusion };
    if (inChannels !== outChannels) skip[place] = new ConvNormAct(init, inChannels, outChannels, projection);
    this.parts = { conv1, conv2, skip };
  }

  /** @param mask makes the outputs sparse though x is dense */
  forward(x: Tensor, mask?: BlockMask): Tensor {
    return scope(() => {
      const main = this.parts.conv2.forward(this.parts.conv1.forward(x, mask));
      const dense = isUnit(this.stride) ? x : avgPool3d(x, this.stride);
      const pooled = mask ? applyMask(dense, mask) : dense;
      const skip = Object.values(this.parts.skip)[0]?.forward(pooled) ?? pooled;
      return this.fusion ? residual(main, skip, SLOPE) : leakyRelu(add(main, skip), SLOPE);
    });
  }
}

/** The grid of a mask merged to `size`'s voxels: a coarse cell is visible when any of its cells is. */
function anyVisible(mask: BlockMask, size: readonly number[]): BlockMask | undefined {
  const grid = mask.grid.map((g, a) => Math.min(g, size[a] as number)) as [number, number, number];
  const visible = new Uint8Array(mask.samples * grid[0] * grid[1] * grid[2]);
  const factor = mask.grid.map((g, a) => g / (grid[a] as number)) as [number, number, number];
  mask.visible.forEach((v, cell) => {
    const x = cell % mask.grid[2];
    const y = Math.floor(cell / mask.grid[2]) % mask.grid[1];
    const z = Math.floor(cell / (mask.grid[2] * mask.grid[1])) % mask.grid[0];
    const n = Math.floor(cell / (mask.grid[2] * mask.grid[1] * mask.grid[0]));
    const at = [z, y, x].map((p, a) => Math.floor(p / (factor[a] as number))) as [number, number, number];
    if (v) visible[((n * grid[0] + at[0]) * grid[1] + at[1]) * grid[2] + at[2]] = 1;
  });
  return visible.includes(0) ? new BlockMask({ samples: mask.samples, grid, visible }) : undefined;
}

/** Stem and residual stages; every stage's output is a skip. */
export class ResEncEncoder extends Module {
  readonly parts: { stem: { convs: ConvNormAct[] }; stages: { blocks: ResidualBlock[] }[] };

  constructor(
    init: Initializer,
    private readonly options: ResEncUNetOptions,
  ) {
    super();
    const { inChannels, features, blocks, kernels, strides, norm, winograd, fusion = true } = options;
    const stem = new ConvNormAct(init, inChannels, features[0]!, {
      kernel: kernels[0]!,
      norm,
      winograd,
      slope: SLOPE,
      fusion,
    });
    const stages = features.map((out, i) => ({
      blocks: Array.from({ length: blocks[i]! }, (_, j) => {
        const from = j > 0 ? out : features[Math.max(i - 1, 0)]!;
        return new ResidualBlock(init, from, out, kernels[i]!, j > 0 ? unit : strides[i]!, options);
      }),
    }));
    this.parts = { stem: { convs: [stem] }, stages };
  }

  /**
   * @param x (N, C, D, H, W), dense, or sparse: then masked voxels are neither stored nor computed
   * @param options.mask makes the stem's output sparse though x is dense: it sees masked intensities at the rim
   * @param options.coarse how to go on where a stage's volume is no multiple of the mask's grid
   * @returns the output of every stage, highest resolution first
   */
  forward(
    x: Tensor,
    { mask, coarse }: { mask?: BlockMask | undefined; coarse?: CoarseRule | undefined } = {},
  ): Tensor[] {
    return scope(() => {
      let features = this.parts.stem.convs[0]!.forward(typed(x, this.options.dtype), mask);
      return this.parts.stages.map((stage, i) => {
        const input = this.enterStage(features, this.options.strides[i]!, coarse);
        features = stage.blocks.reduce(
          (f, block, j) => block.forward(f, j === 0 ? input.mask : undefined),
          input.x,
        );
        return features;
      });
    });
  }

  /** Leaves block storage where the stage's output cannot keep the grid; see `CoarseRule`. */
  private enterStage(
    x: Tensor,
    stride: Triple,
    coarse: CoarseRule | undefined,
  ): { x: Tensor; mask?: BlockMask | undefined } {
    const { mask } = x;
    const size = x.shape.slice(2).map((s, a) => s / (stride[a] as number));
    if (!mask || size.every((s, a) => s % (mask.grid[a] as number) === 0)) return { x };
    if (!coarse)
      throw new ShapeError(
        "ERR_VOXELSPARK_SHAPE",
        `a stage of size (${size.join(", ")}) is coarser than the mask's grid (${mask.grid.join(", ")}); ` +
          "state coarse: 'dense' (everything visible from here) or 'any' (visible where any part is)",
      );
    return { x: densify(x), mask: coarse === "any" ? anyVisible(mask, size) : undefined };
  }
}

/** What a decoder stage takes beside the upsampled map. The lowest resolution is always a tensor. */
export type Skip = Tensor | FoldedSkip;
/** A skip, or what makes it when its stage comes, so that it and its gradient live no longer than the stage needs them. */
export type SkipSource = Skip | (() => Skip);

const skipOf = (source: SkipSource): Skip => (typeof source === "function" ? source() : source);

const join = (unit: ConvNormAct, up: Tensor, skip: Skip): Tensor =>
  "offset" in skip ? unit.forwardFolded(skip, up) : unit.forward([up, skip]);

/** Upsampling, concatenation with the skip, one convolution unit per stage; a 1×1×1 head at each. */
export class UNetDecoder extends Module {
  readonly parts: {
    transpconvs: ConvTranspose3d[];
    stages: { convs: ConvNormAct[] }[];
    seg_layers: Conv3d[];
  };

  constructor(
    init: Initializer,
    private readonly options: ResEncUNetOptions,
  ) {
    super();
    const { features, kernels, strides, norm, outChannels, winograd, decoder, fusion = true } = options;
    const levels = features.slice(0, -1).map((_, s) => features.length - 2 - s); // lowest resolution first
    this.parts = {
      transpconvs: levels.map(
        (i) => new ConvTranspose3d(init, features[i + 1]!, features[i]!, strides[i + 1]!),
      ),
      stages: levels.map((i, s) => ({
        convs: Array.from({ length: decoder.convs[s]! }, (_, j) => {
          const from = j === 0 ? 2 * features[i]! : features[i]!;
          return new ConvNormAct(init, from, features[i]!, {
            kernel: kernels[i]!,
            norm,
            winograd,
            slope: SLOPE,
            fusion,
          });
        }),
      })),
      seg_layers: levels.map((i) => new Conv3d(init, features[i]!, outChannels, unit)),
    };
  }

  /**
   * @param skips stage outputs, dense or filled by a token that is not written out, highest resolution first
   * @returns (N, outChannels, D, H, W) at full resolution
   */
  forward(skips: readonly SkipSource[]): Tensor {
    return scope(() => this.forwardScales(skips, 1)[0]!);
  }

  /**
   * Outputs of the last `count` stages' heads, for deep supervision.
   * @returns (N, outChannels, …) each, highest resolution first
   */
  forwardScales(skips: readonly SkipSource[], count: number): Tensor[] {
    return scope(() => {
      let x = skipOf(skips.at(-1)!) as Tensor;
      const scales = this.parts.transpconvs.map((up, s) => {
        const skip = skips[skips.length - 2 - s]!;
        const previous = x;
        const [first, ...convs] = this.parts.stages[s]!.convs;
        x = scope(() => {
          const joined = join(first!, up.forward(previous), skipOf(skip));
          return convs.reduce((f, unit) => unit.forward(f), joined);
        });
        if (s < skips.length - 1 - count) return undefined;
        return typed(this.parts.seg_layers[s]!.forward(x), this.options.dtype && "float32");
      });
      return scales.filter((scale) => scale !== undefined).reverse();
    });
  }
}

/** The residual-encoder U-Net of nnU-Net (ResEnc), e.g. ResEnc-L: 102,348,965 parameters from 1 to 1 channel. */
export class ResEncUNet extends Module {
  readonly parts: { encoder: ResEncEncoder; decoder: UNetDecoder };

  constructor(
    init: Initializer,
    readonly options: ResEncUNetOptions,
  ) {
    super();
    requireStages(options);
    this.parts = { encoder: new ResEncEncoder(init, options), decoder: new UNetDecoder(init, options) };
  }

  /** @param x (N, inChannels, D, H, W), sizes divisible by the product of strides @returns (N, outChannels, D, H, W) */
  forward(x: Tensor): Tensor {
    return scope(() => this.parts.decoder.forward(this.parts.encoder.forward(x)));
  }

  /** As forward, with the lower resolutions of deep supervision: `count` outputs, highest resolution first. */
  forwardScales(x: Tensor, count: number): Tensor[] {
    return scope(() => this.parts.decoder.forwardScales(this.parts.encoder.forward(x), count));
  }
}
