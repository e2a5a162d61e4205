import { stat } from "node:fs/promises";
import { join } from "node:path";
import type { CaseProperties } from "../data/case-store";
import { orientationOf } from "../data/geometry";
import { writeNifti } from "../data/nifti-writer";
import { type MadeCase, type PreprocessOptions, preprocessImage } from "../data/preprocess-image";
import { ensureFolder, exists, removeIfEmpty, sha256File, writeFileAtomic } from "../files";
import { middleRatio } from "../masking";
import { directionsOf } from "../pictures/planes";
import { renderVolumes } from "../pictures/volume";
import { type Reconstruction, reconstruct } from "../recipes/reconstruct";
import type { DeviceName } from "../tensor";
import { preprocessing } from "./cases";
import { loadModel } from "./load-model";

export interface ReconstructionOptions {
  /** Checkpoint folder, or a run folder (its newest checkpoint). */
  checkpoint: string;
  /** NIfTI image. */
  image: string;
  /** Folder for reconstruction.png, reconstruction.nii.gz and masked.nii.gz. */
  out: string;
  /** Masked share; default: the plan's ratio, the middle of a range. */
  ratio?: number | undefined;
  seed?: number | undefined;
  /** Which stored affine to trust, and what NaN and infinite voxels do. Default: as in the plan's preprocessing. */
  geometry?: PreprocessOptions["geometry"] | undefined;
  nonFinite?: PreprocessOptions["nonFinite"] | undefined;
  device: DeviceName;
}

export interface ReconstructionFiles {
  picture: string;
  nifti: string;
  masked: string;
  maskedMse: number;
  baselineMse: number;
}

/**
 * Preprocesses an image as the checkpoint's plan says, masks it, lets the model fill it in, and writes what came out
 * in the preprocessed grid.
 * @yields patches done; returns the files written
 */
export async function* reconstructImage(
  options: ReconstructionOptions,
): AsyncGenerator<{ done: number; total: number }, ReconstructionFiles> {
  const isNew = !(await exists(options.out));
  const { model, plan, step } = await loadModel(options.checkpoint, options.device);
  try {
    const image = { id: "image", path: options.image };
    const source = await sourceOf(image.path);
    const planned = await preprocessing(plan, [image]);
    const { geometry = planned.geometry, nonFinite = planned.nonFinite } = options;
    const read = { ...planned, geometry, nonFinite };
    const { data, properties } = await preprocessImage(image, { image: [source] }, read);
    const { ratio = middleRatio(plan.mask.ratio), seed = plan.seed, device } = options;
    const shape = properties.shapes.stored;
    await ensureFolder(options.out); // before the work, which a folder that cannot be made would waste
    const result = yield* reconstruct(plan, model, data, shape, { ratio, seed, device });
    const errors = `masked MSE ${result.maskedMse.toFixed(3)}, mean prediction ${result.baselineMse.toFixed(3)}`;
    const title = `step ${step}, ${Math.round(ratio * 100)} % masked: ${errors}`;
    return await write(options.out, title, { data, properties, result });
  } finally {
    model.dispose();
    if (isNew) await removeIfEmpty(options.out);
  }
}

/** What a preprocessed case keeps of its file; of an unreadable one nothing, since reading it tells what is wrong. */
export async function sourceOf(path: string) {
  const info = await stat(path).catch(() => ({ size: 0, mtimeMs: 0 }));
  const hash = info.size ? await sha256File(path) : "";
  return { path, bytes: info.size, mtimeMs: info.mtimeMs, sha256: hash };
}

/** Affine (RAS, row-major 4×4) of the stored grid: the source's axes, cropped and resampled about pixel centres. */
function affineOf({ geometry, crop, shapes }: CaseProperties): number[] {
  const source = geometry.affine;
  // Stored voxel i lies at source voxel crop + (i + 0.5) · n_cropped / n_stored − 0.5, per axis; affine columns are x, y, z.
  const scale = [2, 1, 0].map((a) => shapes.cropped[a]! / shapes.stored[a]!);
  const offset = [2, 1, 0].map((a, c) => crop.start[a]! + 0.5 * scale[c]! - 0.5);
  const rows = [0, 1, 2].map((r) => {
    const m = [0, 1, 2].map((c) => source[4 * r + c]!);
    const shift = m.reduce((sum, v, c) => sum + v * offset[c]!, source[4 * r + 3]!);
    return [...m.map((v, c) => v * scale[c]!), shift];
  });
  return [...rows.flat(), 0, 0, 0, 1];
}

/** What was filled in, beside the case that was masked. */
interface Filled extends Pick<MadeCase, "data" | "properties"> {
  result: Reconstruction;
}

async function write(
  out: string,
  title: string,
  { data, properties, result }: Filled,
): Promise<ReconstructionFiles> {
  const { shape, reconstruction, visible, maskedMse, baselineMse } = result;
  const { spacing } = properties;
  const affine = affineOf(properties);
  const directions = directionsOf(orientationOf(affine));
  const png = renderVolumes(
    [
      { label: "input", data },
      { label: "masked", data, visible },
      { label: "reconstruction", data: reconstruction },
    ],
    { shape, spacing, directions, title },
  );
  const files = {
    picture: join(out, "reconstruction.png"),
    nifti: join(out, "reconstruction.nii.gz"),
    masked: join(out, "masked.nii.gz"),
  };
  await writeFileAtomic(files.picture, png);
  await writeNifti(files.nifti, {
    data: reconstruction,
    shape,
    affine,
    description: "voxelspark reconstruction",
  });
  const masked = data.map((v, i) => (visible[i] ? v : 0));
  await writeNifti(files.masked, { data: masked, shape, affine, description: "voxelspark masked input" });
  return { ...files, maskedMse, baselineMse };
}
