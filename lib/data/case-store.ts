/**
 * Preprocessed cases: a folder `<id>.zarr` each, a Zarr v3 array (C, z, y, x) of float32 whose attributes hold
 * how it was made. A patch is read without the rest of the volume; every byte is covered by a checksum.
 */
import { mkdir, open, readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { DataError, ShapeError } from "../errors";
import { ioError, sha256, writeFileFlushed, writeFolderAtomic } from "../files";
import type { LabelScheme } from "../labels";
import type { Geometry, Vector3 } from "./geometry";
import type { ForegroundEntry } from "./label-map";
import { isSafeName } from "./sources";
import {
  arrayMetadata,
  damaged,
  encodeShard,
  fillValueOf,
  readBox,
  readIndex,
  SHARD_PATH,
  type Shape4,
  type Shard,
  verified,
  withChecksum,
} from "./zarr-shard";

/** A file that a case was made from. */
export interface Source {
  readonly path: string;
  readonly bytes: number;
  readonly mtimeMs: number;
  readonly sha256: string;
}

/** One channel of a case. */
export interface ChannelStatistics {
  /** Of the cropped box before normalisation. */
  readonly mean: number;
  readonly std: number;
  /** Smallest stored value: what padding is filled with. */
  readonly minimum: number;
}

/** The label map of a case, which is the last channel of its array. */
export interface LabelProperties {
  readonly source: Source;
  readonly scheme: LabelScheme;
  /** What `StoredCase.locations` holds. */
  readonly foreground: readonly ForegroundEntry[];
}

/** How a case was made; kept in the attributes of its array. Triples are (z, y, x). Statistics are of the first channel. */
export interface CaseProperties extends ChannelStatistics {
  readonly id: string;
  readonly subject: string;
  readonly modality?: string;
  readonly source: Source;
  /** Preprocessing options that made it, written out. */
  readonly options: object;
  readonly geometry: Geometry; // of the source image
  readonly shapes: { readonly source: Vector3; readonly cropped: Vector3; readonly stored: Vector3 };
  /** First voxel and one past the last of the crop, in the source image. */
  readonly crop: { readonly start: Vector3; readonly end: Vector3 };
  readonly spacing: Vector3; // of the stored voxels, mm
  /** Channels after the first. */
  readonly further?: readonly (ChannelStatistics & { readonly source: Source })[];
  readonly label?: LabelProperties;
  readonly warnings: readonly string[];
}

const FORMAT = "voxelspark-case-1";
const LOCATIONS = "locations.bin"; // little-endian uint32, then their CRC-32C

function pathOf(folder: string, id: string): string {
  if (!isSafeName(id))
    throw new DataError("ERR_VOXELSPARK_DATA", `${JSON.stringify(id)} cannot name a case.`);
  return join(folder, `${id}.zarr`);
}

/** SHA-256 of the metadata with an empty checksum; key order is that of the file. */
function metadataChecksum(metadata: { attributes: { checksum: string } }): string {
  const blank = { ...metadata, attributes: { ...metadata.attributes, checksum: "" } };
  return sha256(JSON.stringify(blank));
}

/**
 * Writes a case atomically; an older one of the same id is replaced. Throws ShapeError or IoError.
 * @param channels of the array; a label map is the last one
 * @param locations places of the foreground, as `properties.label.foreground` counts them
 */
export async function writeCase(
  folder: string,
  data: Float32Array,
  properties: CaseProperties,
  channels = 1,
  locations?: Uint32Array,
): Promise<void> {
  const shape: Shape4 = [channels, ...properties.shapes.stored];
  const voxels = shape.reduce((a, b) => a * b, 1);
  if (data.length !== voxels) {
    throw new ShapeError(
      "ERR_VOXELSPARK_SHAPE",
      `Case ${properties.id} has ${data.length} voxels, its shape (${shape}) has ${voxels}.`,
    );
  }
  const fill = fillValueOf(data);
  const attributes = { format: FORMAT, checksum: "", case: properties };
  const metadata = arrayMetadata(shape, fill, attributes) as { attributes: { checksum: string } };
  metadata.attributes.checksum = metadataChecksum(JSON.parse(JSON.stringify(metadata)));
  await writeFolderAtomic(pathOf(folder, properties.id), async (temporary) => {
    await mkdir(join(temporary, SHARD_PATH, ".."), { recursive: true });
    await writeFileFlushed(join(temporary, SHARD_PATH), encodeShard(data, shape, fill));
    if (locations) {
      const bytes = new Uint8Array(locations.buffer, locations.byteOffset, locations.byteLength);
      await writeFileFlushed(join(temporary, LOCATIONS), withChecksum(bytes));
    }
    await writeFileFlushed(join(temporary, "zarr.json"), `${JSON.stringify(metadata, null, 1)}\n`);
  });
}

/** One case on disk, its metadata verified. Cheap: voxels are only read by `read`. */
export class StoredCase {
  private index: Float64Array | undefined;

  private constructor(
    readonly path: string,
    readonly shape: Shape4,
    private readonly fill: number,
    readonly properties: CaseProperties,
  ) {}

  /** Throws DataError (checksum, foreign format) or IoError, naming the file and how to redo it. */
  static async open(folder: string, id: string): Promise<StoredCase> {
    const path = pathOf(folder, id);
    const file = join(path, "zarr.json");
    const text = await readFile(file, "utf8").catch(async (error) => {
      throw await ioError("read", file, error);
    });
    const metadata = parse(text, file);
    const { case: properties, format } = metadata.attributes;
    if (format !== FORMAT) {
      throw new DataError(
        "ERR_VOXELSPARK_FORMAT",
        `${file} has case format ${JSON.stringify(format)}, this release reads ${FORMAT}. Run \`voxelspark preprocess\` again.`,
      );
    }
    if (properties.id !== id) throw damaged(file, `it holds case ${properties.id}`);
    return new StoredCase(path, metadata.shape, metadata.fill_value, properties);
  }

  /**
   * Voxels of the box from `start` with `size` (z, y, x), which must lie inside the case, of one channel.
   * Throws DataError where a checksum does not match, ShapeError where the box does not fit.
   */
  async read(start: Vector3, size: Vector3, channel = 0): Promise<Float32Array> {
    const [channels, ...whole] = this.shape;
    const fits = start.every((s, a) => s >= 0 && size[a]! > 0 && s + size[a]! <= whole[a]!);
    if (!fits || !(channel >= 0 && channel < channels)) {
      throw new ShapeError(
        "ERR_VOXELSPARK_SHAPE",
        `Case ${this.properties.id}: the box at (${start}) of size (${size}), channel ${channel}, does not lie in (${this.shape}).`,
      );
    }
    return this.withShard((shard) => readBox(shard, channel, { start, size }));
  }

  /**
   * Where the foreground lies: indices of voxels, one set after the other as in `properties.label.foreground`.
   * Throws DataError where the checksum does not match.
   */
  async locations(): Promise<Uint32Array> {
    const file = join(this.path, LOCATIONS);
    const bytes = await readFile(file).catch(async (error) => {
      throw await ioError("read", file, error);
    });
    const body = verified(bytes);
    const kept = (this.properties.label?.foreground ?? []).reduce((sum, entry) => sum + entry.kept, 0);
    if (body?.length !== kept * 4) throw damaged(file, "its checksum does not match");
    return new Uint32Array(new Uint8Array(body).buffer); // a copy, at an aligned place
  }

  /** Checks length and index of the data file without reading voxels. Throws DataError. */
  checkLayout(): Promise<void> {
    return this.withShard(async () => {});
  }

  private async withShard<T>(use: (shard: Shard) => Promise<T>): Promise<T> {
    const path = join(this.path, SHARD_PATH);
    const file = await open(path, "r").catch(async (error) => {
      throw await ioError("read", path, error);
    });
    try {
      const { shape, fill } = this;
      this.index ??= await readIndex(file, path, shape);
      return await use({ file, path, shape, index: this.index, fill });
    } finally {
      await file.close();
    }
  }

  /** Reads every chunk and throws DataError at the first that is damaged. */
  async verify(): Promise<void> {
    if (this.properties.label) await this.locations();
    for (let c = 0; c < this.shape[0]; c++) await this.read([0, 0, 0], [...this.properties.shapes.stored], c);
  }
}

interface Metadata {
  shape: Shape4;
  fill_value: number;
  attributes: { format: string; checksum: string; case: CaseProperties };
}

function parse(text: string, file: string): Metadata {
  let metadata: Metadata;
  try {
    metadata = JSON.parse(text);
    if (metadata.attributes.checksum === metadataChecksum(metadata)) return metadata;
  } catch {
    throw damaged(file, "it is not valid metadata of a case");
  }
  throw damaged(file, "its checksum does not match");
}

/** Ids of the cases in a folder, sorted. Unfinished ones do not count. Throws DataError when there is none. */
export async function listCases(folder: string): Promise<string[]> {
  const names = await readdir(folder).catch(async (error) => {
    throw await ioError("list", folder, error);
  });
  const ids = names
    .filter((name) => name.endsWith(".zarr") && !name.startsWith("."))
    .map((name) => name.slice(0, -5));
  if (ids.length === 0) {
    throw new DataError(
      "ERR_VOXELSPARK_EMPTY",
      `${folder} holds no preprocessed cases; run \`voxelspark preprocess\` first.`,
    );
  }
  return ids.sort();
}

/** What is known of each case; a few files at a time, since sets may have more cases than a process may open files. */
export async function propertiesOf(folder: string, ids: readonly string[]): Promise<CaseProperties[]> {
  const found: CaseProperties[] = [];
  for (let first = 0; first < ids.length; first += 32) {
    const some = ids.slice(first, first + 32).map((id) => StoredCase.open(folder, id));
    found.push(...(await Promise.all(some)).map(({ properties }) => properties));
  }
  return found;
}
