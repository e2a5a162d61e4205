/** Meaning of a label map, as dataset.json of nnU-Net states it. */
export interface LabelScheme {
  readonly labels: Readonly<Record<string, number | readonly number[]>>;
  readonly regionsClassOrder?: readonly number[];
}
/** Whether the network predicts regions, which may overlap, instead of exclusive classes. */
export function hasRegions(s: LabelScheme): boolean {
  return Object.values(s.labels).some((v) => typeof v !== "number");
}
/** The label that counts nowhere, if there is one. */
export function ignoreLabel(s: LabelScheme): number | undefined {
  const v = s.labels.ignore;
  return typeof v === "number" ? v : undefined;
}
/** Names of the network's output channels: classes with background, or regions without. */
export function classNames(s: LabelScheme): string[] {
  const names = Object.keys(s.labels).filter((n) => n !== "ignore");
  return hasRegions(s) ? names.filter((n) => n !== "background") : names;
}
/** Number of the network's output channels. */
export function outputChannels(s: LabelScheme): number {
  return classNames(s).length;
}
