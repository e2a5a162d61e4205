import { requireOptions } from "../arguments";
import type { BlockMask } from "../block-mask";
import { Conv3d } from "../nn/conv";
import type { Initializer } from "../nn/init";
import { Module } from "../nn/module";
import { applyMask } from "../ops/apply-mask";
import { densify } from "../ops/densify";
import { maskedNorm } from "../ops/masked-norm";
import { tokenAffine } from "../ops/token-affine";
import { scope } from "../scope";
import type { Tensor } from "../tensor";
import type { Triple } from "../triple";
import { type CoarseRule, ResEncUNet, type ResEncUNetOptions, type Skip } from "./resenc-unet";
import { foldingPays } from "./token-folding";

/** The parts of the sparsification, each a switch as in the paper's ablation, and the mask's rules. */
export interface S3DOptions {
  network: ResEncUNetOptions;
  /** Sparse convolution and norm in the encoder; off = masked voxels are zeros of an ordinary dense encoder. */
  sparse: boolean;
  /** Fill masked voxels of the normalised skips with a learned token; off = raw skips, zeros where masked. */
  maskToken: boolean;
  /** A 3×3×3 convolution on each filled skip below full resolution. */
  densifyConv: boolean;
  /** Required when some stage is coarser than the mask's blocks. */
  coarse?: CoarseRule | undefined;
  /** Mask the input before the stem, as the paper says. Off only to reproduce upstream's code, which leaks. */
  maskInput: boolean;
  /**
   * Convolve filled skips without filling them, where that is faster: the same but for rounding. Default true; off, the
   * plain path is the reference.
   */
  tokenFolding?: boolean | undefined;
}

/**
 * S3D, a sparse masked autoencoder ("Revisiting MAE pre-training for 3D medical image segmentation", CVPR 2025):
 * a ResEnc U-Net whose encoder sees the visible blocks only, whose skips are densified with mask tokens and a
 * convolution, and whose decoder reconstructs the masked voxels.
 */
export class S3D extends Module {
  readonly network: ResEncUNet;
  readonly parts;

  constructor(
    init: Initializer,
    readonly options: S3DOptions,
  ) {
    super();
    this.network = new ResEncUNet(init, requireOptions(options, "S3D: options").network);
    const { features } = options.network;
    const token = (c: number) => init.truncatedNormal([1, c, 1, 1, 1], 0.02, 0.02);
    const projection = (c: number, i: number): [string, Conv3d] => [
      String(i + 1),
      new Conv3d(init, c, c, [3, 3, 3], [1, 1, 1], true, options.network.winograd),
    ];
    this.parts = {
      ...this.network.parts,
      mask_tokens: options.maskToken ? features.map(token) : [],
      densify_projs: options.densifyConv ? Object.fromEntries(features.slice(1).map(projection)) : {},
    };
  }

  /**
   * @param x (N, 1, D, H, W), dense
   * @param mask over the volume; what it hides does not influence the encoder
   * @returns reconstruction (N, 1, D, H, W), dense
   */
  forward(x: Tensor, mask: BlockMask): Tensor {
    return scope(() => {
      const skips = this.encode(x, mask);
      return this.parts.decoder.forward(
        skips.map((f, i) => () => this.foldSkip(f, i) ?? this.densifySkip(f, i, mask)),
      );
    });
  }

  /** Stage outputs, highest resolution first; sparse where the mask's grid allows. */
  encode(x: Tensor, mask: BlockMask): Tensor[] {
    return scope(() => {
      const { sparse, maskInput, coarse } = this.options;
      const visible = maskInput ? applyMask(x, mask) : x;
      if (sparse) return this.parts.encoder.forward(visible, { mask, coarse });
      return this.parts.encoder.forward(maskInput ? densify(visible) : x);
    });
  }

  /**
   * Normalise (instance norm without affine, over visible voxels), fill with the mask token, convolve.
   * A stage that is dense because it is coarser than the mask has nothing to fill.
   */
  densifySkip(features: Tensor, level: number, mask: BlockMask): Tensor {
    return scope(() => {
      const token = this.parts.mask_tokens[level];
      const normed = token ? maskedNorm(features, undefined, undefined, { kind: "instance" }) : features;
      const fits = features.shape.slice(2).every((s, a) => s % (mask.grid[a] as number) === 0);
      const visible = token && !normed.mask && fits ? applyMask(normed, mask) : normed;
      const dense = visible.mask ? densify(visible, token) : visible;
      return this.parts.densify_projs[level]?.forward(dense) ?? dense;
    });
  }

  /** What `densifySkip` gives, or stands for it, without writing the filled map; undefined where that does not pay. */
  private foldSkip(features: Tensor, level: number): Skip | undefined {
    const { tokenFolding = true, network } = this.options;
    const token = this.parts.mask_tokens[level];
    const projection = this.parts.densify_projs[level];
    const alone = projection !== undefined;
    const last = level === network.features.length - 1;
    const kernel = alone ? projection.kernel : (network.kernels[level] as Triple);
    if (!tokenFolding || !token || (last && !alone) || !foldingPays(features, kernel, alone))
      return undefined;
    return scope(() => {
      const { gamma, beta } = tokenAffine(token);
      const pending = network.fusion ?? true;
      const skip = { offset: maskedNorm(features, gamma, beta, { kind: "instance", pending }), token };
      return projection ? projection.forwardFolded(skip) : skip;
    });
  }
}
