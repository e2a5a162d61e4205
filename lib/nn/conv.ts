import type { BlockMask } from "../block-mask";
import { ArgumentRangeError } from "../errors";
import { convTranspose3d } from "../ops/conv-transpose3d";
import { type Conv3dInput, conv3d, samePadding, type Winograd } from "../ops/conv3d";
import { type FoldedSkip, foldedConv3d } from "../ops/folded-conv3d";
import type { Tensor } from "../tensor";
import type { Triple } from "../triple";
import type { Initializer } from "./init";
import { Module } from "./module";
import { MaskedNorm, type NormKind } from "./norm";

const ones: Triple = [1, 1, 1];
const product = (t: Triple) => t[0] * t[1] * t[2];

/** 3-D convolution with "same" zero padding (k − 1)/2; weight (out, in, kz, ky, kx). */
export class Conv3d extends Module {
  readonly parts: { weight: Tensor; bias?: Tensor | undefined };
  private readonly padding: Triple;

  constructor(
    init: Initializer,
    inChannels: number,
    outChannels: number,
    readonly kernel: Triple,
    private readonly stride: Triple = ones,
    bias = true,
    private readonly winograd: Winograd = "off",
  ) {
    super();
    if (kernel.some((k) => k % 2 !== 1))
      throw new ArgumentRangeError(`Conv3d: kernel is (${kernel.join(", ")}), allowed are odd sizes`);
    const fanIn = inChannels * product(kernel);
    this.padding = samePadding(kernel);
    this.parts = {
      weight: init.weight([outChannels, inChannels, ...kernel], fanIn),
      bias: bias ? init.bias([outChannels], fanIn) : undefined,
    };
  }

  /**
   * @param x (N, in, D, H, W), or two maps of in channels together
   * @param mask stores the visible outputs only, though x be dense; a sparse x brings its own
   * @param moments leaves the output's statistics for a norm
   * @returns (N, out, …), D, H and W divided by the stride and rounded up
   */
  forward(x: Conv3dInput, mask?: BlockMask, moments?: boolean): Tensor {
    const { stride, padding, winograd } = this;
    return conv3d(x, this.parts.weight, this.parts.bias, { stride, padding, winograd, mask, moments });
  }

  /** As forward of [up, the filled skip], for stride 1. @see foldedConv3d */
  forwardFolded(skip: FoldedSkip, up?: Tensor): Tensor {
    return foldedConv3d(skip, this.parts.weight, this.parts.bias, { up, winograd: this.winograd });
  }
}

/** Transposed convolution whose kernel equals its stride; weight (in, out, kz, ky, kx). */
export class ConvTranspose3d extends Module {
  readonly parts: { weight: Tensor; bias: Tensor };

  constructor(init: Initializer, inChannels: number, outChannels: number, stride: Triple) {
    super();
    const fanIn = outChannels * product(stride); // PyTorch counts the output channels here
    this.parts = {
      weight: init.weight([inChannels, outChannels, ...stride], fanIn),
      bias: init.bias([outChannels], fanIn),
    };
  }

  /** @param x (N, in, D, H, W) @returns (N, out, D·kz, H·ky, W·kx), under the mask of x */
  forward(x: Tensor): Tensor {
    return convTranspose3d(x, this.parts.weight, this.parts.bias);
  }
}

export interface UnitOptions {
  kernel: Triple;
  stride?: Triple;
  /** Default true. */
  bias?: boolean;
  norm: NormKind;
  /** Negative slope of the LeakyReLU; 1 = none. */
  slope: number;
  /** Default "off". */
  winograd?: Winograd | undefined;
  /** Leave the norm's statistics to the convolution and its values to the next op. Default false. */
  fusion?: boolean | undefined;
}

/** Convolution, norm and, unless `slope` is 1, LeakyReLU: the unit of the ResEnc architecture. */
export class ConvNormAct extends Module {
  readonly parts: { conv: Conv3d; norm: MaskedNorm };
  private readonly fusion: boolean;

  constructor(init: Initializer, inChannels: number, outChannels: number, options: UnitOptions) {
    super();
    const { kernel, stride, bias, winograd, norm, slope, fusion = false } = options;
    this.fusion = fusion;
    const conv = new Conv3d(init, inChannels, outChannels, kernel, stride, bias, winograd);
    this.parts = { conv, norm: new MaskedNorm(init, outChannels, norm, slope, fusion) };
  }

  /** @see Conv3d.forward */
  forward(x: Conv3dInput, mask?: BlockMask): Tensor {
    return this.parts.norm.forward(this.parts.conv.forward(x, mask, this.fusion));
  }

  /** @see Conv3d.forwardFolded */
  forwardFolded(skip: FoldedSkip, up?: Tensor): Tensor {
    return this.parts.norm.forward(this.parts.conv.forwardFolded(skip, up));
  }
}
