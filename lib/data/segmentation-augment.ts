/**
 * nnU-Net's default augmentation of a labelled patch (method.md §7.5): rotation and scaling of image and label, noise,
 * blur, brightness, contrast, low resolution, gamma of the negated and of the plain image, mirroring of both. The
 * transforms are kernels of the CPU device and run in the thread that calls, in a loader's worker for instance.
 */
import { ShapeError } from "../errors";
import { gaussianBlur } from "../ops/gaussian-blur";
import { gaussianNoise } from "../ops/gaussian-noise";
import { changeContrast, correctGamma, scaleIntensity } from "../ops/intensity";
import { mirror } from "../ops/mirror";
import { resampleAffine, resize } from "../ops/resample";
import { resampleLabels } from "../ops/resample-labels";
import type { Random } from "../random";
import { scope } from "../scope";
import { type Tensor, tensor } from "../tensor";
import { sampleMatrix, sourceBox } from "./augment";
import type { Vector3 } from "./geometry";
import { enlargedPatch, isFlat } from "./patches";
import { roundHalfEven } from "./preprocess-steps";
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

/** A part of the box of `augmentedReadSize`. */
export interface ReadPart {
  readonly start: Vector3;
  readonly size: Vector3;
}

const { floor, max } = Math;
const LINEAR_MARGIN = 1;
const OUTSIDE = { image: 0, label: -1 };

const turns = ({ angles, scale }: DrawnSegmentation) => angles !== undefined || scale !== 1;
const voxelsOf = ([d, h, w]: Triple) => d * h * w;

/** The box around the patch that is read so that rotation and scaling see data, nnU-Net's: 160 → 257. */
export function augmentedReadSize(patch: Triple, settings: SegmentationAugmentation): Vector3 {
  const { rotation, scaling } = settings;
  const moves = rotation.probability > 0 || scaling.probability > 0;
  return moves ? enlargedPatch(patch, rotation.degrees) : [...patch];
}

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
  if (!turns(drawn))
    return { start: box.map((q, a) => floor((q - patch[a]!) / 2)) as Vector3, size: [...patch] };
  const margin = settings.interpolation === "linear" ? LINEAR_MARGIN : undefined;
  return sourceBox(sampleMatrix(patch, box, drawn), patch, box, margin);
}

function requirePatch(what: string, { channels, size, image, label }: LabelledPatch, wanted: Triple): void {
  const voxels = voxelsOf(size);
  if (image.length !== channels * voxels || label.length !== voxels)
    throw new ShapeError(
      "ERR_VOXELSPARK_SHAPE",
      `${what}: a labelled patch of ${channels} × (${size.join(", ")}) has ${channels * voxels} values in its image ` +
        `and ${voxels} in its label, found ${image.length} and ${label.length}.`,
    );
  if (size.some((n, a) => n !== wanted[a]))
    throw new ShapeError(
      "ERR_VOXELSPARK_SHAPE",
      `${what}: what was read has size (${size.join(", ")}), needed is (${wanted.join(", ")}).`,
    );
}

/** The box of `size` at `start` of one volume. */
function crop(volume: Float32Array, from: Triple, start: Triple, size: Triple): Float32Array {
  if (size.every((n, a) => n === from[a])) return volume.slice();
  const out = new Float32Array(voxelsOf(size));
  let to = 0;
  for (let z = 0; z < size[0]; z++)
    for (let y = 0; y < size[1]; y++, to += size[2]) {
      const at = ((z + start[0]) * from[1] + y + start[1]) * from[2] + start[2];
      out.set(volume.subarray(at, at + size[2]), to);
    }
  return out;
}

/** @internal Nearest neighbours down to a share of the voxels, linear interpolation back; a flat patch keeps its slices. */
export function lowerResolution(x: Tensor, share: number, flat: boolean): Tensor {
  const size = x.shape.slice(2) as Vector3;
  const small = size.map((n, axis) => (axis === 0 && flat ? n : max(1, roundHalfEven(n * share)))) as Vector3;
  return resize(resize(x, small, { order: 0, clip: false }), size, { order: 1, clip: false });
}

/** Channel c of the patch through everything that changes intensities, in nnU-Net's order. */
function withIntensities(x: Tensor, drawn: DrawnSegmentation, c: number, flat: boolean): Tensor {
  const { noise, blur, brightness, contrast, lowResolution, invertedGamma, gamma } = drawn;
  if (noise) gaussianNoise(x, noise);
  let y = blur?.[c] ? gaussianBlur(x, blur[c]) : x;
  if (brightness) scaleIntensity(y, brightness[c]!);
  if (contrast) changeContrast(y, contrast[c]!);
  if (lowResolution?.[c] !== undefined) y = lowerResolution(y, lowResolution[c], flat);
  if (invertedGamma) correctGamma(y, invertedGamma[c]!, true);
  if (gamma) correctGamma(y, gamma[c]!);
  return y;
}

/** Applies a draw to what was read of its `neededPart`, or of any larger part of the box. */
export async function augmentDrawn(
  read: LabelledPatch,
  part: ReadPart,
  patch: Triple,
  drawn: DrawnSegmentation,
  settings: SegmentationAugmentation,
): Promise<LabelledPatch> {
  requirePatch("augmentDrawn", read, part.size);
  const [from, to] = [voxelsOf(read.size), voxelsOf(patch)];
  const box = augmentedReadSize(patch, settings);
  const middle = box.map((q, a) => floor((q - patch[a]!) / 2) - part.start[a]!) as Vector3;
  const matrix = sampleMatrix(patch, box, drawn);
  for (let a = 0; a < 3; a++) matrix[a * 4 + 3]! -= part.start[a]!;
  const order = settings.interpolation === "cubic" ? 3 : 1;
  const upload = (volume: Float32Array, size: Triple) => tensor(volume, [1, 1, ...size], { device: "cpu" });
  const place = (volume: Float32Array, resample: (x: Tensor) => Tensor) =>
    turns(drawn)
      ? resample(upload(volume, read.size))
      : upload(crop(volume, read.size, middle, patch), patch);

  const results = scope(() => {
    const channels = Array.from({ length: read.channels }, (_, c) => {
      const volume = read.image.subarray(c * from, (c + 1) * from);
      const moved = place(volume, (x) => resampleAffine(x, patch, matrix, { order, outside: OUTSIDE.image }));
      return withIntensities(moved, drawn, c, isFlat(patch));
    });
    const label = place(read.label, (x) => resampleLabels(x, patch, matrix, OUTSIDE.label));
    const all = [...channels, label];
    for (const x of all) mirror(x, drawn.mirrored);
    return all;
  });
  try {
    const volumes: Float32Array[] = [];
    for (const x of results) volumes.push((await x.data()) as Float32Array);
    const label = volumes.pop() as Float32Array;
    const image = volumes.length === 1 ? volumes[0]! : new Float32Array(read.channels * to);
    if (volumes.length > 1) for (const [c, volume] of volumes.entries()) image.set(volume, c * to);
    return { channels: read.channels, size: patch, image, label };
  } finally {
    for (const x of results) x.dispose();
  }
}

/**
 * The augmented patch from the middle of what was read around it. Places beyond what was read are 0 in the image and -1
 * in the label, as voxels outside of the case are.
 *
 * @param read of `augmentedReadSize(patch, settings)`
 * @param random the stream that everything is drawn from
 * @throws ShapeError when `read` has another size
 */
export async function augmentLabelled(
  read: LabelledPatch,
  patch: Triple,
  random: Random,
  settings: SegmentationAugmentation,
): Promise<LabelledPatch> {
  const box = augmentedReadSize(patch, settings);
  requirePatch("augmentLabelled", read, box);
  const drawn = drawSegmentation(patch, read.channels, random, settings);
  return augmentDrawn(read, { start: [0, 0, 0], size: box }, patch, drawn, settings);
}
