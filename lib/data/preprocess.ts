/**
 * NIfTI images → a folder of cases. One image failing is named and the others go on; a re-run redoes only what
 * changed; worker threads may share the work, which never changes a result.
 */
import { DataError, VoxelsparkError } from "../errors";
import { ensureFolder, removeIfEmpty, removeTemporary } from "../files";
import { lockFolder } from "../lock";
import type { GeometryChoice, Vector3 } from "./geometry";
import { readNiftiHeader } from "./nifti";
import { type CaseOutcome, preprocessCase } from "./preprocess-case";
import { completeOptions, type PreprocessOptions, reversed } from "./preprocess-image";
import type { ImageCase } from "./sources";
import { WorkerPool } from "./worker-pool";

export { DEFAULT_PREPROCESSING, type PreprocessOptions, preprocessImage } from "./preprocess-image";
export { nonzeroBox, separateAxis } from "./preprocess-steps";

/**
 * Median spacing (z, y, x) of a set, axis by axis, from the headers alone: nnssl's "median" target. Images whose
 * header cannot be used are left out; preprocessing names them. Throws DataError if none can.
 */
export async function medianSpacing(
  images: readonly ImageCase[],
  geometry: GeometryChoice = "auto",
): Promise<Vector3> {
  const found: Vector3[] = [];
  for (const image of images) {
    const read = await readNiftiHeader(image.path, { geometry }).catch((error) => {
      if (!(error instanceof VoxelsparkError)) throw error;
      return undefined;
    });
    if (read) found.push(reversed(read.geometry.spacing));
  }
  if (found.length === 0) {
    throw new DataError(
      "ERR_VOXELSPARK_EMPTY",
      `None of the ${images.length} images has a header that can be used.`,
    );
  }
  return [0, 1, 2].map((axis) => median(found.map((spacing) => spacing[axis]!))) as Vector3;
}

function median(values: number[]): number {
  const sorted = values.sort((a, b) => a - b);
  const middle = (sorted.length - 1) / 2;
  return (sorted[Math.floor(middle)]! + sorted[Math.ceil(middle)]!) / 2;
}

export interface PreprocessStep {
  done: number;
  total: number;
  case: string;
  path: string;
  /** "done": made now; "current": was up to date; "failed": see `error`. */
  status: "done" | "current" | "failed";
  error?: VoxelsparkError;
  warnings: readonly string[];
}

/** The outcome of one image; errors of the image become part of it, all others are thrown. */
async function outcome(
  image: ImageCase,
  work: Promise<CaseOutcome>,
): Promise<Pick<PreprocessStep, "status" | "warnings" | "error">> {
  try {
    return await work;
  } catch (error) {
    const ofImage = error instanceof VoxelsparkError && !isOutputError(error, image);
    if (!ofImage || error.code === "ERR_VOXELSPARK_WORKER") throw error;
    return { status: "failed", error, warnings: [] };
  }
}

/**
 * Preprocesses `images` into `folder`, which is locked meanwhile; yields a step an image, in the order in which they
 * are finished. Files that cannot be used are reported in their step. Errors of the output folder (full disk,
 * permissions) and a worker that dies end it.
 * @param workers threads that share the images; 0 does them one by one in this thread
 */
export async function* preprocess(
  images: readonly ImageCase[],
  folder: string,
  options: Partial<PreprocessOptions> = {},
  workers = 0,
): AsyncGenerator<PreprocessStep> {
  const complete = completeOptions(options);
  await ensureFolder(folder);
  const lock = await lockFolder(folder);
  let pool: WorkerPool<ImageCase, CaseOutcome> | undefined;
  const start = (image: ImageCase): Promise<CaseOutcome> =>
    pool ? pool.run(image, image.id) : preprocessCase(folder, image, complete);
  try {
    if (workers !== 0) pool = new WorkerPool("preprocess", { folder, options: complete }, workers);
    await removeTemporary(folder);
    const running = new Map<
      ImageCase,
      Promise<{ image: ImageCase; result: Awaited<ReturnType<typeof outcome>> }>
    >();
    let done = 0;
    for (const image of [...images, undefined]) {
      if (image) {
        const finished = outcome(image, start(image)).then((result) => ({ image, result }));
        finished.catch(() => {}); // the first failure ends the loop below; later ones have no other listener
        running.set(image, finished);
      }
      // Until a thread is free again; at the end until all are.
      while (running.size > 0 && (!image || running.size >= Math.max(1, workers))) {
        const { image: ready, result } = await Promise.race(running.values());
        running.delete(ready);
        yield { done: ++done, total: images.length, case: ready.id, path: ready.path, ...result };
      }
    }
  } finally {
    await pool?.close();
    await lock.release();
    await removeIfEmpty(folder);
  }
}

/** What the system refused to do with another file than the image's own. */
function isOutputError(
  { code, message }: VoxelsparkError,
  { path, further = [], label }: ImageCase,
): boolean {
  const own = [path, ...further, ...(label ? [label.path] : [])];
  return code === "ERR_VOXELSPARK_IO" && !own.some((file) => message.includes(file));
}
