/** How well a segmentation agrees with its reference: counts, Dice, IoU and surface Dice of a case (method.md §8). */
import { requireOptions } from "../arguments";
import { ArgumentRangeError } from "../errors";
import { type LabelCounts, labelCounts, type Region } from "../ops/label-counts";
import { surfaceDice } from "../ops/surface-dice";
import type { Tensor } from "../tensor";

/** RegionMetrics of a region in one case, under nnU-Net's names. null: the region is in neither volume. */
export interface RegionMetrics {
  Dice: number | null;
  FN: number;
  FP: number;
  IoU: number | null;
  /** Surface Dice; only where a tolerance was given. */
  NSD?: number | null;
  TN: number;
  TP: number;
  n_pred: number;
  n_ref: number;
}

export interface CaseOptions {
  /** Labels and regions to evaluate; not the background. */
  regions: readonly Region[];
  /** Voxels with this reference label count nowhere. */
  ignore?: number | undefined;
  /** Surface Dice at a tolerance in mm; spacing in mm along z, y, x. */
  surface?: { tolerance: number; spacing: readonly [number, number, number] } | undefined;
}

/** "1" for a label, "(1, 2)" for a region: the keys of nnU-Net's summary.json. */
export function regionKey(region: Region): string {
  if (typeof region === "number") return String(region);
  return region.length === 1 ? `(${region[0]},)` : `(${region.join(", ")})`;
}

/** What is evaluated of a class or region: a label alone is a label, not a region of one. */
export function regionOf(labels: readonly number[]): Region {
  return labels.length === 1 ? labels[0]! : labels;
}

/** Dice = 2 TP / (2 TP + FP + FN), IoU = TP / (TP + FP + FN): 0 when one volume lacks the region, null when both do. */
export function overlapMetrics({ TP, FP, FN, TN }: LabelCounts): RegionMetrics {
  const union = TP + FP + FN;
  return {
    Dice: union === 0 ? null : (2 * TP) / (2 * TP + FP + FN),
    FN,
    FP,
    IoU: union === 0 ? null : TP / union,
    TN,
    TP,
    n_pred: TP + FP,
    n_ref: TP + FN,
  };
}

/** @throws ArgumentRangeError for no regions, the background as one, or one given twice */
export function requireRegions(regions: readonly Region[], ignore?: number): void {
  const keys = regions.map(regionKey);
  const twice = keys.filter((key, i) => keys.indexOf(key) !== i);
  const labels = regions.flat();
  if (regions.length === 0)
    throw new ArgumentRangeError("there are 0 regions to evaluate, allowed is at least 1");
  if (twice.length > 0) throw new ArgumentRangeError(`regions ${twice.join(", ")} are given twice`);
  if (regions.includes(0))
    throw new ArgumentRangeError("label 0 is the background, allowed are labels from 1 and regions");
  if (ignore !== undefined && labels.includes(ignore))
    throw new ArgumentRangeError(`label ${ignore} is ignored and cannot be evaluated`);
}

/**
 * RegionMetrics of every region by its key.
 * @param prediction (1, 1, D, H, W): labels
 * @param reference of the same shape
 * @throws ShapeError; ArgumentRangeError; DataError when voxels hold anything but labels
 */
export async function evaluateCase(
  prediction: Tensor,
  reference: Tensor,
  options: CaseOptions,
): Promise<Record<string, RegionMetrics>> {
  const { regions, ignore, surface } = requireOptions(options, "evaluateCase: options");
  requireRegions(regions, ignore);
  const counts = await labelCounts(prediction, reference, regions, ignore);
  const nsd = surface && (await surfaceDice(prediction, reference, regions, { ...surface, ignore }));
  return Object.fromEntries(
    regions.map((region, r) => {
      const metrics = overlapMetrics(counts[r]!);
      return [regionKey(region), nsd ? { ...metrics, NSD: nsd[r]! } : metrics];
    }),
  );
}
