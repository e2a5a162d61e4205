/** nnssl's list of a pre-training collection, `pretrain_data.json` (method.md 6.1). */
import { readFile, stat } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { isRecord, shown } from "../arguments";
import { DataError } from "../errors";
import type { ImageCase } from "./sources";

const MAX_BYTES = 512 * 1024 * 1024; // OpenMind's list of 114 000 images has about 60 MB

type Json = Record<string, unknown>;

class ListReader {
  constructor(private readonly file: string) {}

  fail(path: string, sentence: string): never {
    throw new DataError("ERR_VOXELSPARK_DATA", `${this.file}: ${path} ${sentence}`);
  }

  object(value: unknown, path: string): Json {
    if (!isRecord(value)) this.fail(path, `must be an object, found ${shown(value)}.`);
    return value;
  }

  entries(value: unknown, path: string): [string, Json][] {
    return Object.entries(this.object(value, path)).map(([key, v]) => [
      key,
      this.object(v, `${path}.${key}`),
    ]);
  }

  array(value: unknown, path: string): unknown[] {
    if (!Array.isArray(value)) this.fail(path, `must be an array, found ${shown(value)}.`);
    return value;
  }

  text(value: unknown, path: string): string {
    if (typeof value !== "string" || value === "") this.fail(path, `must be a text, found ${shown(value)}.`);
    return value;
  }

  /** `$NAME/rest` takes NAME from the environment; other paths are relative to the list's folder. */
  path(value: unknown, at: string): string {
    const text = this.text(value, at);
    if (text.includes("\0")) this.fail(at, "holds a NUL character.");
    const variable = /^\$(?:\{(\w+)\}|(\w+))(.*)$/s.exec(text);
    if (!variable) return resolve(dirname(this.file), text);
    const name = variable[1] ?? variable[2]!;
    const root = process.env[name];
    if (!root) this.fail(at, `begins with $${name}, but the environment variable ${name} is not set.`);
    return resolve(root + variable[3]!);
  }
}

function masksOf(read: ListReader, image: Json, path: string): ImageCase["masks"] {
  if (image.associated_masks === null || image.associated_masks === undefined) return undefined;
  const masks = read.object(image.associated_masks, `${path}.associated_masks`);
  const one = (key: string): string | undefined =>
    masks[key] === null || masks[key] === undefined
      ? undefined
      : read.path(masks[key], `${path}.associated_masks.${key}`);
  return { anonymization: one("anonymization_mask"), anatomy: one("anatomy_mask") };
}

/** The images of the list; ids are `collection__dataset__subject__session__name` as in nnssl. */
function imagesOf(read: ListReader, root: Json): ImageCase[] {
  const collection = read.text(root.collection_name, "collection_name");
  const cases: ImageCase[] = [];
  for (const [datasetKey, dataset] of read.entries(root.datasets, "datasets")) {
    const at = `datasets.${datasetKey}.subjects`;
    for (const [subjectKey, subject] of read.entries(dataset.subjects, at)) {
      const sessions = `${at}.${subjectKey}.sessions`;
      for (const [sessionKey, session] of read.entries(subject.sessions, sessions)) {
        const images = `${sessions}.${sessionKey}.images`;
        read.array(session.images, images).forEach((value, i) => {
          const path = `${images}[${i}]`;
          const image = read.object(value, path);
          const name = read.text(image.name, `${path}.name`).replace(/\.nii(\.gz)?$/i, "");
          cases.push({
            id: [collection, datasetKey, subjectKey, sessionKey, name].join("__"),
            path: read.path(image.image_path, `${path}.image_path`),
            modality: typeof image.modality === "string" ? image.modality : undefined,
            subject: [collection, datasetKey, subjectKey].join("__"),
            masks: masksOf(read, image, path),
          });
        });
      }
    }
  }
  return cases;
}

export async function readPretrainJson(file: string): Promise<ImageCase[]> {
  const { size } = await stat(file);
  if (size > MAX_BYTES) {
    throw new DataError("ERR_VOXELSPARK_TOO_LARGE", `${file} has ${size} bytes, allowed are ${MAX_BYTES}.`);
  }
  let root: unknown;
  try {
    root = JSON.parse(await readFile(file, "utf8"));
  } catch (error) {
    throw new DataError("ERR_VOXELSPARK_FORMAT", `${file} is not valid JSON: ${(error as Error).message}`, {
      cause: error,
    });
  }
  const read = new ListReader(file);
  return imagesOf(read, read.object(root, "the file"));
}
