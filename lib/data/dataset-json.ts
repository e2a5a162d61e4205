/**
 * nnU-Net's raw layout: dataset.json, `imagesTr/<case>_0000.nii.gz` with one file a channel, `labelsTr/<case>.nii.gz`.
 * Whatever is missing, left over or no file is reported in one error.
 */
import { readdir } from "node:fs/promises";
import { basename, join, resolve } from "node:path";
import { isRecord, shown } from "../arguments";
import { DataError, type ErrorCode, FormatError } from "../errors";
import { ioError, readFileBounded } from "../files";
import { JsonError, parseJson } from "../json";
import { type LabelScheme, parseLabelScheme } from "../labels";
import { collectChannelCases } from "./channel-files";
import { type ImageCase, isSafeName, kindOfEntry, NIFTI_NAME, stem } from "./sources";

/** What dataset.json says. */
export interface DatasetJson {
  readonly name?: string;
  /** Names of the channels, in their order. */
  readonly channels: readonly string[];
  readonly labels: LabelScheme;
  /** Number of training cases that it promises. */
  readonly numTraining?: number;
  readonly fileEnding: string;
  /** Files of each training case, where they are listed instead of found. */
  readonly files?: Readonly<Record<string, { images: readonly string[]; label: string }>>;
}

export interface LabelledDataset extends DatasetJson {
  readonly folder: string;
  /** Sorted by id; each with its label map. */
  readonly cases: readonly ImageCase[];
}

const MAX_JSON = 16 * 2 ** 20;
const ENDINGS = [".nii.gz", ".nii"];
const MOST_SHOWN = 100; // offenders named in one message

/** Case ids in the order of Python's `sorted`, by code points. */
export function byId(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}

/** One error that names every offender, one a line. */
export function refuse(source: string, offenders: readonly string[], code?: ErrorCode): never {
  const more = offenders.length - MOST_SHOWN;
  const lines = offenders.slice(0, MOST_SHOWN).map((line) => `\n  ${line}`);
  throw new DataError(
    code ?? "ERR_VOXELSPARK_DATA",
    `${source}: ${offenders.length} ${offenders.length === 1 ? "thing is" : "things are"} wrong:` +
      `${lines.join("")}${more > 0 ? `\n  and ${more} more` : ""}`,
  );
}

/** The channel names, whose keys must be "0", "1", … */
function channelNames(json: Record<string, unknown>, faults: string[]): string[] {
  const { channel_names: names, modality } = json;
  if (names === undefined && modality !== undefined) {
    faults.push('has "modality" of the older form; nnU-Net 2 calls it "channel_names"');
    return [];
  }
  const keys = isRecord(names) ? Object.keys(names) : [];
  const texts = keys.map((_, i) => (names as Record<string, unknown>)[i]);
  if (keys.length === 0 || !texts.every((name) => typeof name === "string" && name !== ""))
    faults.push(`channel_names must be an object {"0": name, "1": name, …}, found ${shown(names)}`);
  return texts as string[];
}

function listedFiles(value: unknown, faults: string[]): DatasetJson["files"] {
  if (value === undefined) return undefined;
  const isList = (v: unknown) =>
    isRecord(v) &&
    Array.isArray(v.images) &&
    v.images.every((p) => typeof p === "string" && !p.includes("\0")) &&
    typeof v.label === "string" &&
    !v.label.includes("\0");
  if (!isRecord(value) || !Object.values(value).every(isList))
    faults.push("dataset must be an object of cases, each {images: [path, …], label: path}");
  return value as DatasetJson["files"];
}

/** Reads a dataset.json of nnU-Net 2. Throws FormatError or DataError with every fault at once. */
export async function readDatasetJson(path: string): Promise<DatasetJson> {
  let json: unknown;
  try {
    json = parseJson(await readFileBounded(path, MAX_JSON));
  } catch (error) {
    if (!(error instanceof JsonError)) throw error;
    throw new FormatError("ERR_VOXELSPARK_FORMAT", `${path} is ${error.message}.`, { cause: error });
  }
  if (!isRecord(json))
    throw new FormatError("ERR_VOXELSPARK_FORMAT", `${path} must hold an object, found ${shown(json)}.`);
  const faults: string[] = [];
  const channels = channelNames(json, faults);
  const { numTraining, file_ending: fileEnding = ".nii.gz", name, dataset } = json;
  if (!ENDINGS.includes(fileEnding as string))
    faults.push(`file_ending must be one of ${ENDINGS.join(", ")}, found ${shown(fileEnding)}`);
  if (numTraining !== undefined && !(Number.isInteger(numTraining) && (numTraining as number) >= 0))
    faults.push(`numTraining must be a whole number, found ${shown(numTraining)}`);
  const files = listedFiles(dataset, faults);
  if (faults.length > 0) refuse(path, faults, "ERR_VOXELSPARK_FORMAT");
  return {
    ...(typeof name === "string" ? { name } : {}),
    channels,
    labels: parseLabelScheme(json, path),
    ...(numTraining === undefined ? {} : { numTraining: numTraining as number }),
    fileEnding: fileEnding as string,
    ...(files ? { files } : {}),
  };
}

/** NIfTI-named entries of one folder, by name; entries that are no files become offenders. */
async function niftiFiles(folder: string, offenders: string[]): Promise<string[]> {
  const entries = await readdir(folder, { withFileTypes: true }).catch(async (error) => {
    throw await ioError("list", folder, error);
  });
  const names: string[] = [];
  for (const entry of entries) {
    if (entry.name.startsWith(".") || !NIFTI_NAME.test(entry.name)) continue;
    const kind = await kindOfEntry(join(folder, entry.name), entry);
    if (kind === "file") names.push(entry.name);
    else offenders.push(`${join(folder, entry.name)} is no regular file`);
  }
  return names.sort(byId);
}

/** Names that cannot be files or that differ in case only become offenders. */
function checkIds(ids: Iterable<string>, offenders: string[]): void {
  const lower = new Map<string, string>();
  for (const id of ids) {
    if (!isSafeName(id)) offenders.push(`${JSON.stringify(id.slice(0, 80))} cannot name a case`);
    const before = lower.get(id.toLowerCase());
    if (before !== undefined) offenders.push(`cases ${before} and ${id} differ in upper and lower case only`);
    lower.set(id.toLowerCase(), id);
  }
}

function imageCase(id: string, [path, ...further]: readonly string[]): ImageCase {
  return { id, path: path!, subject: id, ...(further.length > 0 ? { further } : {}) };
}

function sorted(cases: ImageCase[], folder: string): ImageCase[] {
  if (cases.length === 0)
    throw new DataError("ERR_VOXELSPARK_EMPTY", `${folder} holds no cases: no <case>_0000.nii.gz was found.`);
  return cases.sort((a, b) => byId(a.id, b.id));
}

/** Files of the training cases as the folders have them. */
async function foundCases(folder: string, json: DatasetJson, offenders: string[]): Promise<ImageCase[]> {
  const found = await collectChannelCases([join(folder, "imagesTr")], json.channels, offenders);
  const images = new Map(found.map(({ id, files }) => [id, files]));
  const labels = new Map<string, string>();
  for (const name of await niftiFiles(join(folder, "labelsTr"), offenders)) {
    const path = join(folder, "labelsTr", name);
    const before = labels.get(stem(name));
    if (before) offenders.push(`case ${stem(name)} has two label maps, ${before} and ${path}`);
    else labels.set(stem(name), path);
  }
  for (const [id, path] of labels)
    if (!images.has(id)) offenders.push(`${path} has no images ${id}_0000${json.fileEnding} in imagesTr`);
  return [...images].map(([id, files]) => {
    const path = labels.get(id);
    if (path === undefined) offenders.push(`case ${id} has no label map ${id}${json.fileEnding} in labelsTr`);
    return { ...imageCase(id, files), label: { path: path ?? "", scheme: json.labels } };
  });
}

/** Files of the training cases as dataset.json lists them. */
function listedCases(folder: string, json: DatasetJson, offenders: string[]): ImageCase[] {
  const wanted = json.channels.length;
  return Object.entries(json.files!).map(([id, { images, label }]) => {
    if (images.length !== wanted)
      offenders.push(`case ${id} lists ${images.length} images, channel_names has ${wanted}`);
    const scheme = json.labels;
    return {
      ...imageCase(
        id,
        images.map((path) => resolve(folder, path)),
      ),
      label: { path: resolve(folder, label), scheme },
    };
  });
}

/**
 * Reads the dataset in `folder` with its training cases.
 * @throws DataError that names every missing, odd or left-over file
 */
export async function readDataset(folder: string): Promise<LabelledDataset> {
  const root = resolve(folder);
  const json = await readDatasetJson(join(root, "dataset.json"));
  const offenders: string[] = [];
  const cases = json.files ? listedCases(root, json, offenders) : await foundCases(root, json, offenders);
  checkIds(
    cases.map(({ id }) => id),
    offenders,
  );
  if (json.numTraining !== undefined && json.numTraining !== cases.length)
    offenders.push(`dataset.json has numTraining ${json.numTraining}, found ${cases.length} cases`);
  if (offenders.length > 0) refuse(folder, offenders);
  return { ...json, name: json.name ?? basename(root), folder: root, cases: sorted(cases, folder) };
}
