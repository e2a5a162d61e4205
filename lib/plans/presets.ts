/** Complete plans to start from. "s3d" is the paper's; the other two are the same method, smaller. */
import type { Plan } from "./schema";

const K3 = [3, 3, 3] as const;
const S1 = [1, 1, 1] as const;
const S2 = [2, 2, 2] as const;

/** ResEnc-L and the recipe of the paper (method.md §0, §1, §5, §6.7). */
const s3d: Plan = {
  version: 1,
  name: "s3d",
  seed: 0,
  device: "auto",
  precision: "fp32",
  winograd: "f4",
  fusion: true,
  cudaGraph: false,
  upstreamParity: false,
  patch: [160, 160, 160],
  padding: "minimum",
  batch: 6,
  steps: 250_000,
  network: {
    inChannels: 1,
    outChannels: 1,
    features: [32, 64, 128, 256, 320, 320],
    blocks: [1, 3, 4, 6, 6, 6],
    kernels: [K3, K3, K3, K3, K3, K3],
    strides: [S1, S2, S2, S2, S2, S2],
    norm: "instance",
    decoder: { convs: [1, 1, 1, 1, 1] },
  },
  sparsification: { sparse: true, maskToken: true, densifyConv: true },
  tokenFolding: true,
  mask: { block: 32, ratio: [0.6, 0.9], per: "batch", coarse: null },
  optimizer: {
    learningRate: 1e-2,
    momentum: 0.99,
    nesterov: true,
    weightDecay: 3e-5,
    clip: 12,
    polyPower: 0.9,
    warmupSteps: 0,
  },
  validation: { fraction: 0.01, minSubjects: 5, maxSubjects: 1000, every: 2500, patches: 50 },
  preprocessing: {
    spacing: [1, 1, 1],
    crop: "nonzero",
    normalization: "zscore",
    interpolation: "cubic",
    anisotropyThreshold: 3,
    nonFinite: "error",
    geometry: "auto",
  },
  augmentation: {
    rotation: { probability: 0.2, degrees: 30 },
    scaling: { probability: 0.2, range: [0.7, 1.4] },
    mirroring: { probability: 0.5, axes: [0, 1, 2] },
    interpolation: "cubic",
  },
  loader: { workers: 4, prefetch: 2 },
  checkpoint: { every: 1000, keep: 3 },
};

/** One GPU or a patient CPU: five stages, 96³ patches. */
const small: Plan = {
  ...s3d,
  name: "small",
  patch: [96, 96, 96],
  batch: 2,
  steps: 25_000,
  network: {
    ...s3d.network,
    features: [16, 32, 64, 128, 160],
    blocks: [1, 2, 3, 3, 3],
    kernels: [K3, K3, K3, K3, K3],
    strides: [S1, S2, S2, S2, S2],
    decoder: { convs: [1, 1, 1, 1] },
  },
  mask: { ...s3d.mask, block: 16 },
  validation: { ...s3d.validation, minSubjects: 2, every: 500, patches: 16 },
  loader: { workers: 2, prefetch: 2 },
  checkpoint: { every: 500, keep: 2 },
};

/** A laptop, about a minute: four stages, 48³ patches. Momentum 0.99 remembers too long for 200 steps. */
const tiny: Plan = {
  ...s3d,
  name: "tiny",
  patch: [48, 48, 48],
  batch: 2,
  steps: 200,
  network: {
    ...s3d.network,
    features: [8, 16, 32, 32],
    blocks: [1, 1, 2, 2],
    kernels: [K3, K3, K3, K3],
    strides: [S1, S2, S2, S2],
    decoder: { convs: [1, 1, 1] },
  },
  mask: { ...s3d.mask, block: 8 },
  optimizer: { ...s3d.optimizer, learningRate: 0.1, momentum: 0.9 },
  validation: { ...s3d.validation, minSubjects: 1, every: 50, patches: 4 },
  augmentation: { ...s3d.augmentation, interpolation: "linear" },
  loader: { workers: 1, prefetch: 2 },
  checkpoint: { every: 100, keep: 2 },
};

/** By name. */
export const PRESETS = { s3d, small, tiny } as const;

export type PresetName = keyof typeof PRESETS;
