/**
 * nnU-Net's default augmentation of a labelled patch (method.md §7.5): rotation and scaling of image and label, noise,
 * blur, brightness, contrast, low resolution, gamma on the negated and the plain image, mirroring of both.
 */
import { ShapeError } from "../errors";
import { resampleAffine, resize } from "../ops/resample";
import type { Random } from "../random";
import { openScope } from "../scope";
import { type Tensor, tensor } from "../tensor";
import { mirror, sampleMatrix, sourceBox } from "./augment";
import type { Vector3 } from "./geometry";
import { enlargedPatch } from "./patches";
import { type DrawnSegmentation, drawSegmentation, type SegmentationAugmentation } from "./segmentation-draw";

export {
  type DrawnSegmentation,
  drawSegmentation,
  MIRROR_AUGMENTATION,
  NNUNET_AUGMENTATION,
  NO_AUGMENTATION,
  type SegmentationAugmentation,
} from "./segmentation-draw";

type Triple = readonly [number, number, number];

export interface LabelledPatch {
  readonly channels: number;
  readonly size: Triple;
  readonly image: Float32Array; // (C, D, H, W)
  readonly label: Float32Array; // (D, H, W); -1 outside of the image
}

/** Where the part of the read box lies that an augmentation needs. */
export interface ReadPart {
  readonly start: Vector3;
  readonly size: Vector3;
}

const moves = ({ rotation, scaling }: SegmentationAugmentation) =>
  rotation.probability > 0 || scaling.probability > 0;

/** The box, centred on the patch, that is read so that rotation and scaling see data: 160 → 257; nnU-Net's. */
export function augmentedReadSize(patch: Triple, settings: SegmentationAugmentation): Vector3 {
  return moves(settings) ? enlargedPatch(patch, settings.rotation.degrees) : [...patch];
}

const turns = ({ angles, scale }: DrawnSegmentation) => angles !== undefined || scale !== 1;
const LINEAR_MARGIN = 1;

/**
 * The part of the box of `augmentedReadSize` that a draw needs: reading it alone gives the same patch sooner. Without
 * rotation and scaling it is the patch in the middle.
 */
export function neededPart(
  patch: Triple,
  drawn: DrawnSegmentation,
  settings: SegmentationAugmentation,
): ReadPart {
  const box = augmentedReadSize(patch, settings);
  if (!turns(drawn)) {
    return {
      start: box.map((q, a) => Math.floor((q - patch[a]!) / 2)) as Vector3,
      size: [...patch],
    };
  }
  const margin = settings.interpolation === "linear" ? LINEAR_MARGIN : undefined;
  return sourceBox(sampleMatrix(patch, box, drawn), patch, box, margin);
}

function requirePatch({ channels, size, image, label }: LabelledPatch): void {
  const voxels = size[0] * size[1] * size[2];
  if (image.length !== channels * voxels || label.length !== voxels)
    throw new ShapeError(
      "ERR_VOXELSPARK_SHAPE",
      `augmentLabelled: a labelled patch of ${channels} × (${size.join(", ")}) needs ${channels * voxels} values of the ` +
        `image and ${voxels} of the label, found ${image.length} and ${label.length}.`,
    );
}

/** Copies the box at `start` out of one volume. */
function crop(volume: Float32Array, from: Triple, start: Triple, size: Triple, out: Float32Array): void {
  let to = 0;
  for (let z = 0; z < size[0]; z++)
    for (let y = 0; y < size[1]; y++, to += size[2]) {
      const at = ((z + start[0]) * from[1] + y + start[1]) * from[2] + start[2];
      out.set(volume.subarray(at, at + size[2]), to);
    }
}

/** Whether the draw changes intensities. */
const colours = (d: DrawnSegmentation) =>
  Boolean(d.noise || d.blur || d.brightness || d.contrast || d.lowResolution || d.invertedGamma || d.gamma);

/** One channel, from the part that was read to the augmented patch, not mirrored yet. */
function movedChannel(x: Tensor, matrix: readonly number[], patch: Triple, cubic: boolean): Tensor {
  return resampleAffine(x, patch, matrix, { order: cubic ? 3 : 1, outside: 0 });
}

/** Applies a draw to what was read of its `neededPart`. */
export async function augmentDrawn(
  read: LabelledPatch,
  part: ReadPart,
  patch: Triple,
  drawn: DrawnSegmentation,
  settings: SegmentationAugmentation,
): Promise<LabelledPatch> {
  requirePatch(read);
  const { channels } = read;
  const [from, to] = [read.size, patch].map(([d, h, w]) => d * h * w) as [number, number];
  const image = new Float32Array(channels * to);
  let label = new Float32Array(to);
  const box = augmentedReadSize(patch, settings);
  const matrix = sampleMatrix(patch, box, drawn);
  for (let a = 0; a < 3; a++) matrix[a * 4 + 3]! -= part.start[a]!;
  const inner = box.map((q, a) => Math.floor((q - patch[a]!) / 2) - part.start[a]!) as Vector3;
  const close = openScope();
  const results: Tensor[] = [];
  for (let c = 0; c < channels; c++) {
    const source = read.image.subarray(c * from, (c + 1) * from);
    const out = image.subarray(c * to, (c + 1) * to);
    if (!turns(drawn)) crop(source, read.size, inner, patch, out);
    if (!turns(drawn) && !colours(drawn)) continue;
    let x = turns(drawn)
      ? movedChannel(
          tensor(source, [1, 1, ...read.size], { device: "cpu" }),
          matrix,
          patch,
          settings.interpolation === "cubic",
        )
      : tensor(out, [1, 1, ...patch], { device: "cpu" });
    const coarse = drawn.lowResolution?.[c];
    if (coarse !== undefined) {
      const small = patch.map((n) => Math.max(1, Math.round(n * coarse))) as Vector3;
      x = resize(resize(x, small, { order: 0, clip: false }), patch, { order: 1, clip: false });
    }
    results[c] = x;
  }
  const moved = turns(drawn)
    ? resampleAffine(tensor(read.label, [1, 1, ...read.size], { device: "cpu" }), patch, matrix, {
        order: 0,
        outside: -1,
      })
    : undefined;
  close(new Set(moved ? [...results, moved] : results));
  for (const [c, x] of results.entries()) image.set((await x.data()) as Float32Array, c * to);
  if (moved) label = (await moved.data()) as Float32Array<ArrayBuffer>;
  else crop(read.label, read.size, inner, patch, label);
  for (const x of [...results, ...(moved ? [moved] : [])]) x.dispose();
  mirror(image, patch, drawn.mirrored);
  mirror(label, patch, drawn.mirrored);
  return { channels, size: patch, image, label };
}

/**
 * The augmented patch from the middle of what was read around it. Places beyond what was read are 0 in the image and -1
 * in the label.
 *
 * @param read of `augmentedReadSize(patch, settings)`
 * @param random the stream that everything is drawn from
 */
export async function augmentLabelled(
  read: LabelledPatch,
  patch: Triple,
  random: Random,
  settings: SegmentationAugmentation,
): Promise<LabelledPatch> {
  const drawn = drawSegmentation(patch, read.channels, random, settings);
  return augmentDrawn(read, { start: [0, 0, 0], size: [...read.size] as Vector3 }, patch, drawn, settings);
}
