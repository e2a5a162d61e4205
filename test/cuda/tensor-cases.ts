/** Convolutions of 16-bit feature maps, by the kernel that computes them; tensor-check.ts runs them. */
import type { Triple } from "../../lib";

export interface Case {
  /** Input channels, output channels. */
  channels: readonly [number, number];
  size: Triple;
  kernel: Triple;
  stride?: Triple;
  /** Cells along each axis of a mask; none: dense. */
  cells?: number;
  /** One cell of all samples, it and the next one along x, or any number (the default). */
  visible?: "one" | "pair" | "drawn";
  samples?: number;
  transposed?: boolean;
  integer?: boolean;
  bias?: boolean;
}

export const cube = (e: number): Triple => [e, e, e];

export const cases: Record<string, Case> = {
  "gather, blocks of edge 4": {
    channels: [16, 40],
    size: cube(8),
    kernel: cube(3),
    cells: 2,
    samples: 2,
    bias: true,
  },
  "gather, blocks of edge 2": { channels: [64, 72], size: cube(4), kernel: cube(3), cells: 2, samples: 2 },
  "gather, blocks of edge 1": {
    channels: [64, 128],
    size: cube(4),
    kernel: cube(3),
    cells: 4,
    samples: 2,
    bias: true,
  },
  "gather, one visible block": {
    channels: [24, 8],
    size: cube(8),
    kernel: cube(3),
    cells: 2,
    visible: "one",
  },
  "gather, stride 2": { channels: [32, 64], size: cube(8), kernel: cube(3), stride: cube(2), cells: 2 },
  "gather, stride 2, odd volume, two samples in a tile": {
    channels: [8, 24],
    size: [5, 7, 9],
    kernel: cube(3),
    stride: cube(2),
    samples: 2,
    bias: true,
  },
  "gather, kernel 1": { channels: [40, 320], size: cube(4), kernel: cube(1), cells: 2, integer: true },
  "gather, kernel (1, 3, 5)": {
    channels: [16, 16],
    size: cube(12),
    kernel: [1, 3, 5],
    stride: [1, 2, 3],
    cells: 2,
  },
  "gather, exact": {
    channels: [32, 48],
    size: cube(8),
    kernel: cube(3),
    cells: 4,
    integer: true,
    bias: true,
  },
  "gather, weights in splits": { channels: [8, 16], size: [10, 11, 12], kernel: cube(1) },
  "gather, blocks of edge 10, too empty for halo tiles": {
    channels: [32, 64],
    size: cube(20),
    kernel: cube(3),
    cells: 2,
    samples: 2,
    visible: "one",
  },
  "gather, a volume too ragged for halo tiles": {
    channels: [64, 32],
    size: [5, 12, 15],
    kernel: cube(3),
    samples: 2,
    bias: true,
  },
  transposed: { channels: [64, 32], size: cube(4), kernel: cube(2), cells: 2, transposed: true, bias: true },
  "transposed, exact": {
    channels: [24, 16],
    size: [3, 5, 4],
    kernel: cube(2),
    transposed: true,
    integer: true,
  },
  // Of more slots than one thread block merges; several weights, whose gradients do not all cancel.
  "statistics of many tiles": { channels: [3, 7], size: cube(26), kernel: cube(1), bias: true },
  "few channels": { channels: [3, 5], size: cube(8), kernel: cube(3), cells: 2, bias: true },
  "a stem": { channels: [1, 32], size: cube(8), kernel: cube(3), cells: 2 },
  // Three channels: the one sum that is a mean or a bias's gradient might cancel.
  "a head": { channels: [32, 3], size: cube(6), kernel: cube(1), bias: true },
  // Kernel 1: one lookup an item.
  "gather, many items": { channels: [40, 24], size: [16, 14, 12], kernel: cube(1), samples: 3, bias: true },
  "stem, masked": { channels: [1, 32], size: cube(16), kernel: cube(3), cells: 2, samples: 2, bias: true },
  "stem, three channels, a ragged volume": {
    channels: [3, 64],
    size: [6, 15, 14],
    kernel: cube(3),
    samples: 2,
  },
  "stem, one visible block, exact": {
    channels: [2, 32],
    size: cube(16),
    kernel: cube(3),
    cells: 2,
    visible: "one",
    integer: true,
  },
  "a head of one channel, masked": {
    channels: [40, 1],
    size: cube(12),
    kernel: cube(1),
    cells: 3,
    samples: 2,
    integer: true,
  },
  "from few channels, transposed, kernel 1": {
    channels: [5, 16],
    size: [9, 8, 10],
    kernel: cube(1),
    samples: 2,
    transposed: true,
    bias: true,
  },
};
/** Those that the gather GEMM of warpgroups computes, where it is asked for: every width of its tiles, and of its steps. */
export const group: Record<string, Case> = {
  "group, 64 columns, blocks of edge 4": {
    channels: [64, 64],
    size: cube(8),
    kernel: cube(3),
    cells: 2,
    bias: true,
  },
  "group, 64 columns, stride 2": {
    channels: [32, 64],
    size: cube(8),
    kernel: cube(3),
    stride: cube(2),
    cells: 2,
    samples: 2,
    bias: true,
  },
  "group, 128 columns, blocks of edge 2": {
    channels: [96, 128],
    size: cube(4),
    kernel: cube(3),
    cells: 2,
    samples: 2,
  },
  "group, 128 columns, stride 2 of an odd volume": {
    channels: [64, 128],
    size: [3, 5, 7],
    kernel: cube(3),
    stride: cube(2),
  },
  "group, 160 columns, blocks of edge 1": {
    channels: [160, 320],
    size: cube(3),
    kernel: cube(3),
    cells: 3,
    bias: true,
  },
  "group, 256 columns, kernel 1, more steps than buffers": {
    channels: [448, 256],
    size: [4, 5, 7],
    kernel: cube(1),
    samples: 2,
    bias: true,
  },
  "group, columns beyond the channels": {
    channels: [64, 72],
    size: cube(4),
    kernel: cube(3),
    cells: 2,
    integer: true,
    bias: true,
  },
  "group, transposed": {
    channels: [128, 64],
    size: cube(4),
    kernel: cube(2),
    cells: 2,
    transposed: true,
    bias: true,
  },
  "group, one visible block": {
    channels: [64, 64],
    size: cube(8),
    kernel: cube(3),
    cells: 4,
    visible: "one",
  },
};

/** Those that kernels on halo tiles compute. */
export const halo: Record<string, Case> = {
  "halo, blocks of edge 8": { channels: [32, 32], size: cube(16), kernel: cube(3), cells: 2, bias: true },
  "halo, several slices": { channels: [96, 64], size: [4, 8, 8], kernel: cube(3) },
  "halo, blocks that tiles stick out of": {
    channels: [32, 64],
    size: [18, 24, 16],
    kernel: cube(3),
    cells: 2,
    samples: 2,
    visible: "pair",
  },
  "halo, tiles that stick out": {
    channels: [32, 64],
    size: [5, 8, 15],
    kernel: cube(3),
    samples: 2,
    bias: true,
  },
  "halo, exact": { channels: [64, 64], size: [4, 8, 8], kernel: cube(3), integer: true, bias: true },
  "halo, 128 channels": { channels: [32, 128], size: [4, 8, 8], kernel: cube(3) },
};

/** The networks' larger blocks and channel counts, at as few voxels as show them. */
export const wide: Record<string, Case> = {
  "halo, blocks of edge 16": {
    channels: [32, 32],
    size: cube(32),
    kernel: cube(3),
    cells: 2,
    visible: "one",
  },
  "halo, blocks 32 wide": {
    channels: [32, 32],
    size: [16, 16, 64],
    kernel: cube(3),
    cells: 2,
    visible: "one",
  },
  "halo, blocks 32 deep": {
    channels: [32, 32],
    size: [64, 16, 16],
    kernel: cube(3),
    cells: 2,
    visible: "one",
  },
  "halo, 128 to 256 channels": { channels: [128, 256], size: [4, 8, 8], kernel: cube(3) },
  "gather, stride 2, blocks of edge 32": {
    channels: [32, 64],
    size: [64, 16, 16],
    kernel: cube(3),
    stride: cube(2),
    cells: 2,
    visible: "one",
  },
  "gather, 320 channels": { channels: [320, 320], size: cube(2), kernel: cube(3), cells: 2, bias: true },
  "gather, 256 to 320 channels, stride 2": {
    channels: [256, 320],
    size: cube(2),
    kernel: cube(3),
    stride: cube(2),
  },
  "transposed, 320 to 256 channels": {
    channels: [320, 256],
    size: cube(2),
    kernel: cube(2),
    transposed: true,
  },
};
