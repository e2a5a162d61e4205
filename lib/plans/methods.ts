/** The methods that a comparison knows by name: the paper's ablations, mask ratios and schedules (method.md §2, §4, §7.3). */
import { type FinetunePlanInput, SCHEDULES, type ScheduleKind } from "./finetune-schema";
import type { PlanInput } from "./schema";

/** One way to come to a segmentation network. */
export interface Method {
  name: string;
  /** Changes of the pre-training plan; null: none; a path: the run or checkpoint of an earlier pre-training. */
  pretraining: PlanInput | string | null;
  /** Changes of the fine-tuning plan. */
  finetuning: FinetunePlanInput;
}

const switches = (name: string, sparse: boolean, maskToken: boolean, densifyConv: boolean): Method => ({
  name,
  pretraining: { sparsification: { sparse, maskToken, densifyConv } },
  finetuning: {},
});

const masked = (percent: number): [string, Method] => [
  `mask-${percent}`,
  { name: `S3D, ${percent} % masked`, pretraining: { mask: { ratio: percent / 100 } }, finetuning: {} },
];

const scheduled = (kind: ScheduleKind): [string, Method] => [
  `schedule-${kind}`,
  { name: `S3D, ${kind.replaceAll("-", " ")}`, pretraining: {}, finetuning: { schedule: { kind } } },
];

const RATIOS = [30, 45, 60, 75, 90];

export const METHODS: ReadonlyMap<string, Method> = new Map<string, Method>([
  ["from-scratch", { name: "From scratch", pretraining: null, finetuning: { transfer: "none" } }],
  ["s3d", { name: "S3D", pretraining: {}, finetuning: {} }],
  ["encoder-only", { name: "S3D, encoder only", pretraining: {}, finetuning: { transfer: "encoder" } }],
  ["dense-mae", switches("Dense MAE", false, false, false)],
  ["sparse", switches("Sparse MAE", true, false, false)],
  ["sparse-token", switches("Sparse MAE with mask token", true, true, false)],
  ["no-sparse", switches("S3D without sparse convolutions", false, true, true)],
  ["no-token", switches("S3D without mask token", true, false, true)],
  ["no-densify", switches("S3D without densifying convolutions", true, true, false)],
  ...RATIOS.map(masked),
  ...SCHEDULES.map(scheduled),
]);

/** Names that stand for several methods. */
export const METHOD_GROUPS: ReadonlyMap<string, readonly string[]> = new Map([
  ["ablation", ["dense-mae", "sparse", "sparse-token", "s3d"]],
  ["switches", ["no-sparse", "no-token", "no-densify"]],
  ["mask-ratios", RATIOS.map((percent) => `mask-${percent}`)],
  ["schedules", SCHEDULES.map((kind) => `schedule-${kind}`)],
]);
