/** Fine-tuning plans to start from, each for the pre-training preset of the same name (method.md §7). */
import type { FinetunePlan } from "./finetune-schema";
import { PRESETS, type PresetName } from "./presets";
import type { Plan } from "./schema";

/** A plan but for what the data says and what follows from other fields. */
type Base = Omit<FinetunePlan, "channels" | "labels" | "network" | "transfer" | "schedule"> & {
  readonly network: Omit<FinetunePlan["network"], "inChannels" | "outChannels">;
  readonly schedule: Omit<FinetunePlan["schedule"], "kind" | "learningRate">;
};

/** Peak rates of new and of transferred weights; a tenth of the former keeps what was learnt. */
export const PEAK_RATES: Readonly<Record<PresetName, { fresh: number; transferred: number }>> = {
  s3d: { fresh: 1e-2, transferred: 1e-3 },
  small: { fresh: 1e-2, transferred: 1e-3 },
  tiny: { fresh: 0.1, transferred: 1e-2 },
};

/** What a pre-training plan says of any training. */
function shared({ network, optimizer, ...plan }: Plan) {
  const { version, name, seed, device, precision, winograd, fusion, cudaGraph, patch, steps } = plan;
  const { preprocessing, loader, checkpoint } = plan;
  const { inChannels: _, outChannels: __, ...architecture } = network;
  const { momentum, nesterov, weightDecay, clip } = optimizer;
  return {
    ...{ version, name, seed, device, precision, winograd, fusion, cudaGraph, patch, steps },
    ...{ preprocessing, loader, checkpoint },
    network: architecture,
    optimizer: { momentum, nesterov, weightDecay, clip },
  };
}

const common = {
  kind: "finetune",
  batch: 2,
  fold: 0,
  schedule: { polyPower: 0.9, frozenShare: 0.05, rampShare: 0.05 },
  loss: { diceWeight: 1, crossEntropyWeight: 1, batchDice: false, smooth: 1e-5, deepSupervision: false },
  foreground: 0.33,
  augmentation: "nnunet",
  prediction: { step: 0.5, mirroring: [0, 1, 2] },
} as const;

const s3d: Base = {
  ...common,
  ...shared(PRESETS.s3d),
  validation: { every: 250, patches: 100, smoothing: 0.9 },
};

const small: Base = {
  ...common,
  ...shared(PRESETS.small),
  validation: { every: 250, patches: 16, smoothing: 0.9 },
};

const tiny: Base = {
  ...common,
  ...shared(PRESETS.tiny),
  validation: { every: 25, patches: 8, smoothing: 0.9 },
};

export const FINETUNE_PRESETS = { s3d, small, tiny } as const satisfies Record<PresetName, Base>;
