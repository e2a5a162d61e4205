/**
 * What the values of a label map mean, as dataset.json of nnU-Net states it: exclusive labels, or regions, each a set of
 * labels and free to overlap others; and a label to ignore.
 */
import { isRecord, shown } from "./arguments";
import { DataError } from "./errors";

export interface LabelScheme {
  /** By name: one label, or the labels of a region; "background" is 0, "ignore" the highest. */
  readonly labels: Readonly<Record<string, number | readonly number[]>>;
  /** Of regions: the label that each paints into a label map, later ones over earlier ones. */
  readonly regionsClassOrder?: readonly number[];
}

const BACKGROUND = "background";
const IGNORE = "ignore";
const HIGHEST = 65535; // label maps are written as uint8 or uint16

const listOf = (value: number | readonly number[]): readonly number[] =>
  typeof value === "number" ? [value] : value;
const ascending = (values: Iterable<number>) => [...new Set(values)].sort((a, b) => a - b);

/** Whether the network predicts regions, which may overlap, instead of exclusive classes. */
export function hasRegions(s: LabelScheme): boolean {
  return Object.values(s.labels).some((value) => listOf(value).length > 1);
}

/** The label that counts nowhere, if there is one. */
export function ignoreLabel(s: LabelScheme): number | undefined {
  return Object.hasOwn(s.labels, IGNORE) ? listOf(s.labels[IGNORE]!)[0] : undefined;
}

/** Every label that counts, background included, ignore not; ascending. */
export function countedLabels(s: LabelScheme): number[] {
  const named = Object.entries(s.labels).filter(([name]) => name !== IGNORE);
  return ascending(named.flatMap(([, value]) => listOf(value)));
}

/** Every value that a label map may hold; ascending. */
export function allowedLabels(s: LabelScheme): number[] {
  const ignore = ignoreLabel(s);
  return ignore === undefined ? countedLabels(s) : ascending([...countedLabels(s), ignore]);
}

/** What a channel of the logits stands for. */
export interface OutputChannel {
  readonly name: string;
  /** One label of an exclusive class; those of a region otherwise. */
  readonly labels: readonly number[];
}

/** Output channels of the network: classes with the background, by label; or regions without it, in their order. */
export function channelsOf(s: LabelScheme): OutputChannel[] {
  const regions = hasRegions(s);
  const channels = Object.entries(s.labels)
    .filter(([name]) => name !== IGNORE && !(regions && name === BACKGROUND))
    .map(([name, value]) => ({ name, labels: listOf(value) }));
  return regions ? channels : channels.sort((a, b) => a.labels[0]! - b.labels[0]!);
}

/** Classes or regions to find: the channels without the background. */
export function foregroundOf(s: LabelScheme): OutputChannel[] {
  return channelsOf(s).filter(({ labels }) => labels.some((label) => label !== 0));
}

/** Names of the network's output channels: classes with background, or regions without. */
export function classNames(s: LabelScheme): string[] {
  return channelsOf(s).map(({ name }) => name);
}

/** Number of the network's output channels. */
export function outputChannels(s: LabelScheme): number {
  return channelsOf(s).length;
}

/** Whether two schemes give the network the same channels and read label maps alike. */
export function sameScheme(a: LabelScheme, b: LabelScheme): boolean {
  const meaning = (s: LabelScheme) => JSON.stringify([channelsOf(s), ignoreLabel(s), s.regionsClassOrder]);
  return meaning(a) === meaning(b);
}

const isLabel = (value: unknown): value is number =>
  typeof value === "number" && Number.isInteger(value) && value >= 0 && value <= HIGHEST;
const isLabels = (value: unknown): value is number | number[] =>
  isLabel(value) ||
  (Array.isArray(value) && value.length > 0 && value.every(isLabel) && new Set(value).size === value.length);

/** What no label map could follow, one sentence each; none for a good scheme. */
export function schemeFaults(s: LabelScheme): string[] {
  const faults: string[] = [];
  const { [BACKGROUND]: background, [IGNORE]: ignore } = s.labels;
  if (background === undefined || listOf(background).join() !== "0")
    faults.push(`labels.background must be 0, found ${shown(background)}`);
  const counted = countedLabels(s);
  if (counted.some((label, i) => label !== i))
    faults.push(
      `the labels must be 0, 1, 2 … without a gap, found ${counted.slice(0, 40).join(", ")}; renumber them in every label map`,
    );
  if (ignore !== undefined && (typeof ignore !== "number" || ignore !== counted.at(-1)! + 1))
    faults.push(
      `labels.ignore must be the highest label, ${counted.at(-1)! + 1} here, found ${shown(ignore)}`,
    );
  if (foregroundOf(s).length === 0) faults.push("labels must name a class or region beside the background");
  return [...faults, ...(hasRegions(s) ? regionFaults(s, counted) : classFaults(s))];
}

function regionFaults(s: LabelScheme, counted: readonly number[]): string[] {
  const regions = channelsOf(s);
  const order = s.regionsClassOrder;
  const faults: string[] = [];
  if (order?.length !== regions.length)
    faults.push(
      `regions_class_order must hold one label for each of the ${regions.length} regions, found ${shown(order)}`,
    );
  else if (order.some((label) => label === 0 || !counted.includes(label)))
    faults.push(
      `regions_class_order must hold labels of the regions other than 0, found ${order.join(", ")}`,
    );
  // JavaScript puts such keys first, whatever the order in the file was, and the order counts here.
  const numbers = regions.map(({ name }) => name).filter((name) => /^(0|[1-9]\d*)$/.test(name));
  if (numbers.length > 0)
    faults.push(`regions must have names that are no numbers, found ${numbers.join(", ")}`);
  return faults;
}

function classFaults(s: LabelScheme): string[] {
  const names = new Map<number, string[]>();
  for (const { name, labels } of channelsOf(s))
    names.set(labels[0]!, [...(names.get(labels[0]!) ?? []), name]);
  return [...names]
    .filter(([, same]) => same.length > 1)
    .map(([label, same]) => `label ${label} must have one name, found ${same.join(", ")}`);
}

/**
 * The labels of a parsed dataset.json: `labels` and, of regions, `regions_class_order`.
 * @param source the file, for messages
 * @throws DataError with every fault at once
 */
export function parseLabelScheme(json: unknown, source: string): LabelScheme {
  const fail = (sentences: string[]): never => {
    throw new DataError("ERR_VOXELSPARK_FORMAT", `${source}: ${sentences.join("; ")}.`);
  };
  const { labels, regions_class_order: order } = (json ?? {}) as Record<string, unknown>;
  if (!isRecord(labels))
    return fail([`labels must be an object of names, each with its label or labels, found ${shown(labels)}`]);
  const entries = Object.entries(labels);
  if (entries.length > 0 && entries.every(([key, v]) => /^\d+$/.test(key) && typeof v === "string"))
    return fail([
      `labels is in the older form, ${shown(labels)}; nnU-Net 2 has the names first: {"background": 0, …}`,
    ]);
  const wrong = entries
    .filter(([, value]) => !isLabels(value))
    .map(
      ([name, value]) =>
        `labels.${name} must be a whole number from 0 to ${HIGHEST} or a list of different ones, found ${shown(value)}`,
    );
  if (order !== undefined && !(Array.isArray(order) && order.every(isLabel)))
    wrong.push(`regions_class_order must be a list of labels, found ${shown(order)}`);
  if (wrong.length > 0) fail(wrong);
  const single = (value: unknown) => (Array.isArray(value) && value.length === 1 ? value[0] : value);
  const scheme = {
    labels: Object.fromEntries(entries.map(([name, value]) => [name, single(value)])),
    ...(order === undefined ? {} : { regionsClassOrder: order as number[] }),
  } as LabelScheme;
  const faults = schemeFaults(scheme);
  return faults.length > 0 ? fail(faults) : scheme;
}
