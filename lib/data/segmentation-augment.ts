/**
 * nnU-Net's default augmentation of a labelled patch (method.md §7.5): rotation and scaling of image and label, noise,
 * blur, brightness, contrast, low resolution, gamma of the negated and of the plain image, mirroring of both. The
 * transforms are kernels of the CPU device and run in the thread that calls, in a loader's worker for instance.
 *
 * Differences from nnU-Net: places beyond the outermost voxel centres of the read box are 0 at once, where it fades
 * within one voxel; labels there are -1; two labels of equal weight yield the lower one.
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
import { Tensor, tensor } from "../tensor";
import type { Triple } from "../triple";
import { middleOf, sampleMatrix, sourceBox } from "./augment";
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

const { max } = Math;
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
  if (!turns(drawn)) return { start: middleOf(patch, box), size: [...patch] };
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

function requireInside(part: ReadPart, needed: ReadPart): void {
  for (let a = 0; a < 3; a++)
    if (
      needed.start[a]! < part.start[a]! ||
      needed.start[a]! + needed.size[a]! > part.start[a]! + part.size[a]!
    )
      throw new ShapeError(
        "ERR_VOXELSPARK_SHAPE",
        `augmentDrawn: a part of size (${part.size.join(", ")}) at (${part.start.join(", ")}) was read, needed is size ` +
          `(${needed.size.join(", ")}) at (${needed.start.join(", ")}).`,
      );
}

/** What is needed of one volume of the part that was read; the volume itself where that is all of it. */
function crop(volume: Float32Array, part: ReadPart, needed: ReadPart): Float32Array {
  const size = needed.size;
  if (size.every((n, a) => n === part.size[a])) return volume;
  const [z0, y0, x0] = needed.start.map((s, a) => s - part.start[a]!) as Vector3;
  const out = new Float32Array(voxelsOf(size));
  let to = 0;
  for (let z = 0; z < size[0]; z++)
    for (let y = 0; y < size[1]; y++, to += size[2]) {
      const at = ((z + z0) * part.size[1] + y + y0) * part.size[2] + x0;
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

const recolours = ({
  noise,
  blur,
  brightness,
  contrast,
  lowResolution,
  invertedGamma,
  gamma,
}: DrawnSegmentation) =>
  [noise, blur, brightness, contrast, lowResolution, invertedGamma, gamma].some((t) => t !== undefined);

/** What happens to one volume besides mirroring. */
interface Changes {
  /** Rotation and scaling, which also cut out the patch. */
  readonly move: ((x: Tensor) => Tensor) | undefined;
  readonly recolour?: ((x: Tensor) => Tensor) | undefined;
}

/** A volume on the CPU device, moved, recoloured and mirrored; as it is where nothing happens to it. */
function augmentVolume(
  source: Float32Array,
  size: Triple,
  { mirrored }: DrawnSegmentation,
  { move, recolour }: Changes,
): Tensor | Float32Array {
  const mirrors = mirrored.some(Boolean);
  if (!move && !recolour && !mirrors) return source;
  return scope(() => {
    let x = tensor(source, [1, 1, ...size], { device: "cpu" });
    if (move) x = move(x);
    if (recolour) x = recolour(x);
    if (mirrors) mirror(x, mirrored);
    return x;
  });
}

/** The values of volumes that are made one after the other. However it ends, their tensors are freed. */
async function valuesOf(makers: readonly (() => Tensor | Float32Array)[]): Promise<Float32Array[]> {
  const made: (Tensor | Float32Array)[] = [];
  try {
    for (const make of makers) made.push(make());
    const values: Float32Array[] = [];
    for (const v of made) values.push(v instanceof Tensor ? ((await v.data()) as Float32Array) : v);
    return values;
  } finally {
    for (const v of made) if (v instanceof Tensor) v.dispose();
  }
}

/**
 * Applies a draw to what was read of its `neededPart`, or of any larger part of the box: the same bits either way.
 *
 * @throws ShapeError when `read` has another size than `part`, or the part lacks something
 */
export async function augmentDrawn(
  read: LabelledPatch,
  part: ReadPart,
  patch: Triple,
  drawn: DrawnSegmentation,
  settings: SegmentationAugmentation,
): Promise<LabelledPatch> {
  requirePatch("augmentDrawn", read, part.size);
  const needed = neededPart(patch, drawn, settings);
  requireInside(part, needed);
  const matrix = sampleMatrix(patch, augmentedReadSize(patch, settings), drawn);
  for (let a = 0; a < 3; a++) matrix[a * 4 + 3]! -= needed.start[a]!;
  const order = settings.interpolation === "cubic" ? 3 : 1;
  const moves = turns(drawn);
  const moveImage = (x: Tensor) => resampleAffine(x, patch, matrix, { order, outside: OUTSIDE.image });
  const moveLabel = (x: Tensor) => resampleLabels(x, patch, matrix, OUTSIDE.label);
  const augment = (volume: Float32Array, changes: Changes) => () => {
    const made = augmentVolume(crop(volume, part, needed), needed.size, drawn, changes);
    return made === volume ? volume.slice() : made; // never the caller's own memory
  };
  const makers = Array.from({ length: read.channels }, (_, c) => {
    const channel = read.image.subarray(c * voxelsOf(read.size), (c + 1) * voxelsOf(read.size));
    const recolour = (x: Tensor) => withIntensities(x, drawn, c, isFlat(patch));
    return augment(channel, {
      move: moves ? moveImage : undefined,
      recolour: recolours(drawn) ? recolour : undefined,
    });
  });
  const volumes = await valuesOf([...makers, augment(read.label, { move: moves ? moveLabel : undefined })]);
  const label = volumes.pop() as Float32Array;
  return { channels: read.channels, size: patch, image: joined(volumes), label };
}

function joined(volumes: readonly Float32Array[]): Float32Array {
  const [first] = volumes as [Float32Array];
  if (volumes.length === 1) return first;
  const all = new Float32Array(volumes.length * first.length);
  for (const [c, volume] of volumes.entries()) all.set(volume, c * first.length);
  return all;
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
