/**
 * Synthetic heads for the demo and the tests: skin, skull, fluid, folded grey matter, white matter, deep
 * nuclei, ventricles and a few lesions, under a bias field and noise. A pure function of (seed, index).
 */
import { join } from "node:path";
import { requireOptions } from "../arguments";
import { ArgumentRangeError } from "../errors";
import { type Random, rng } from "../random";
import { writeNifti } from "./nifti-writer";
import { drawScanner, type Scanner, type Scanners, type TissueName } from "./phantom-scanner";

/** Values of the label map. */
export const PHANTOM_LABELS = {
  background: 0,
  fluid: 1,
  greyMatter: 2,
  whiteMatter: 3,
  ventricles: 4,
  deepNuclei: 5,
  lesions: 6,
} as const;

export interface PhantomOptions {
  /** Voxels (z, y, x). Default 96³. */
  shape?: [number, number, number];
  /** Voxel edge in mm. Default: the head fills the volume (about 190 mm over the longest axis). */
  spacing?: number;
  seed?: number;
  lesions?: number;
  /** Default "T1". */
  scanners?: Scanners;
}

export interface Phantom {
  image: Float32Array;
  labels: Uint8Array;
  shape: [number, number, number];
  /** Row-major 4×4, RAS, origin at the head's centre. */
  affine: number[];
}

const HEAD_MM = 190;
const { sqrt, sin, cos, min, max, hypot, round, PI, fround } = Math;

interface Wave {
  k: [number, number, number];
  phase: number;
  weight: number;
}

interface Ball {
  centre: [number, number, number];
  radius: number;
}

/** Everything that differs between two heads. Coordinates: x right, y front, z up, brain half axes near 1. */
interface Anatomy {
  axes: [number, number, number]; // half axes of the skull's inner table, as parts of the volume's half edge
  tilt: [number, number, number];
  folds: Wave[];
  bias: Wave[];
  ventricleSize: number;
  lesions: Ball[];
  contrast: number;
}

function waves(random: Random, count: number, low: number, high: number): Wave[] {
  return Array.from({ length: count }, () => {
    const direction = [random.normal(), random.normal(), random.normal()];
    const length = hypot(...direction);
    const frequency = random.uniformIn(low, high);
    return {
      k: direction.map((d) => (d / length) * frequency) as [number, number, number],
      phase: random.uniformIn(0, 2 * PI),
      weight: random.uniformIn(0.6, 1) / sqrt(count / 2), // the sum has a deviation near 0.8
    };
  });
}

function anatomyOf(random: Random, lesions: number): Anatomy {
  const near = (value: number, spread: number): number => value * random.uniformIn(1 - spread, 1 + spread);
  return {
    axes: [near(0.65, 0.04), near(0.78, 0.03), near(0.66, 0.04)],
    tilt: [random.uniformIn(-0.12, 0.12), random.uniformIn(-0.08, 0.08), random.uniformIn(-0.12, 0.12)],
    folds: waves(random, 9, 9, 15),
    bias: waves(random, 3, 0.8, 2),
    ventricleSize: near(1, 0.3),
    lesions: Array.from({ length: lesions }, () => lesionOf(random)),
    contrast: near(1, 0.12),
  };
}

/** Lesions lie in the white matter, beside and above the ventricles. */
function lesionOf(random: Random): Ball {
  const side = random.uniform() < 0.5 ? -1 : 1;
  return {
    centre: [side * random.uniformIn(0.28, 0.5), random.uniformIn(-0.5, 0.5), random.uniformIn(-0.05, 0.4)],
    radius: random.uniformIn(0.05, 0.11),
  };
}

function wave({ k, phase, weight }: Wave, x: number, y: number, z: number): number {
  return weight * sin(k[0] * x + k[1] * y + k[2] * z + phase);
}

function sum(list: readonly Wave[], x: number, y: number, z: number): number {
  let total = 0;
  for (const item of list) total += wave(item, x, y, z);
  return total;
}

/** Distance-like value of a curved tube pair: < 1 inside the lateral ventricles. */
function ventricle(x: number, y: number, z: number, size: number): number {
  const side = x < 0 ? -x : x;
  const bend = 0.1 + 0.1 * y * y; // horns spread to the sides at front and back
  const body = hypot((side - bend) / (0.075 * size), (z - 0.13 + 0.22 * y * y) / (0.14 * size), y / 0.52);
  const third = hypot(x / (0.028 * size), (y - 0.05) / 0.2, (z + 0.08) / 0.16);
  return min(body, third);
}

function nuclei(x: number, y: number, z: number): number {
  const side = x < 0 ? -x : x;
  const thalamus = hypot((side - 0.13) / 0.1, (y + 0.12) / 0.19, (z + 0.02) / 0.12);
  const putamen = hypot((side - 0.31) / 0.07, (y - 0.12) / 0.24, (z + 0.02) / 0.14);
  return min(thalamus, putamen);
}

interface Tissue {
  label: number;
  name: TissueName;
}

const tissue = (label: number, name: TissueName): Tissue => ({ label, name });
const L = PHANTOM_LABELS;
const TISSUES: Readonly<Record<TissueName, Tissue>> = {
  air: tissue(L.background, "air"),
  skin: tissue(L.background, "skin"),
  skull: tissue(L.background, "skull"),
  fluid: tissue(L.fluid, "fluid"),
  grey: tissue(L.greyMatter, "grey"),
  white: tissue(L.whiteMatter, "white"),
  ventricle: tissue(L.ventricles, "ventricle"),
  nuclei: tissue(L.deepNuclei, "nuclei"),
  lesion: tissue(L.lesions, "lesion"),
};

/**
 * Tissue at brain coordinates. Cortex is a band below the surface and along the sulci, sheets where a sum of plane
 * waves cancels.
 */
function tissueAt(x: number, y: number, z: number, body: Anatomy): Tissue {
  const radius = sqrt(x * x + y * y + z * z);
  if (radius > 1.23) return TISSUES.air;
  if (radius > 1.13) return TISSUES.skin;
  if (radius > 1.04) return TISSUES.skull;
  const side = x < 0 ? -x : x;
  // Flat base with a stem, and the gap between the hemispheres.
  const base = z < -0.55 && side > 0.2;
  const gap = side < 0.022 && z > 0.12;
  if (radius > 0.99 || gap || (base && radius > 0.8)) return TISSUES.fluid;
  const inner = ventricle(x, y, z, body.ventricleSize);
  if (inner < 1) return TISSUES.ventricle;
  for (const { centre, radius: r } of body.lesions) {
    if (hypot(x - centre[0], y - centre[1], z - centre[2]) < r && radius < 0.72) return TISSUES.lesion;
  }
  if (nuclei(x, y, z) < 1) return TISSUES.nuclei;
  const depth = 0.96 - radius; // below the pial surface
  const fold = sum(body.folds, x, y, z);
  const sheet = fold < 0 ? -fold : fold; // sulci follow the sheets where the waves cancel
  const reach = 0.2 + 0.08 * fold; // how deep a sulcus cuts
  if (depth < 0 || (depth < reach && sheet < 0.1)) return TISSUES.fluid;
  const cortex = depth < 0.075 || (depth < reach + 0.07 && sheet < 0.42);
  const medial = z > 0.12 && side < 0.09;
  return cortex || medial ? TISSUES.grey : TISSUES.white;
}

/** Rows of the rotation by three small angles. */
function rotation([a, b, c]: readonly [number, number, number]): number[] {
  const [ca, sa, cb, sb, cc, sc] = [cos(a), sin(a), cos(b), sin(b), cos(c), sin(c)];
  return [
    cb * cc,
    sa * sb * cc - ca * sc,
    ca * sb * cc + sa * sc,
    cb * sc,
    sa * sb * sc + ca * cc,
    ca * sb * sc - sa * cc,
    -sb,
    sa * cb,
    ca * cb,
  ];
}

function checkOptions(shape: readonly number[], spacing: number): void {
  if (!shape.every((n) => Number.isInteger(n) && n >= 8 && n <= 1024)) {
    throw new ArgumentRangeError(`A phantom has 8 to 1024 voxels an axis, found (${shape.join(", ")}).`);
  }
  if (!(spacing >= 0.01 && spacing <= 100)) {
    throw new ArgumentRangeError(`A phantom's spacing is 0.01 to 100 mm, found ${spacing}.`);
  }
}

/** Means of 2×2×2 blocks of tissue would cost eight times more; a light blur stands in for partial volume. */
function blur(image: Float32Array, shape: readonly number[]): void {
  const [, ny, nx] = shape as [number, number, number];
  for (const stride of [1, nx, nx * ny]) {
    for (let line = 0; line < stride; line++) {
      let previous = image[line]!;
      for (let i = line + stride; i + stride < image.length; i += stride) {
        const here = image[i]!;
        image[i] = 0.25 * previous + 0.5 * here + 0.25 * image[i + stride]!;
        previous = here;
      }
    }
  }
}

/** Receive-coil shading and Rician-like noise; air keeps a low noise floor, then values become whole numbers. */
function degrade(
  image: Float32Array,
  shape: readonly number[],
  { bias, contrast }: Anatomy,
  { shading, noise: deviation }: Scanner,
  random: Random,
): void {
  const [nz, ny, nx] = shape as [number, number, number];
  const noise = random.fillNormal(new Float32Array(image.length), 0, deviation);
  let at = 0;
  for (let k = 0; k < nz; k++) {
    for (let j = 0; j < ny; j++) {
      for (let i = 0; i < nx; i++, at++) {
        if (image[at] === 0) continue; // background stays 0, as after defacing and brain extraction tools
        const shade = 1 + shading * sum(bias, (2 * i) / nx - 1, (2 * j) / ny - 1, (2 * k) / nz - 1);
        image[at] = max(1, round(image[at]! * shade * contrast + noise[at]!));
      }
    }
  }
}

/** One head with its label map. Same seed, index and options: same voxels. */
export function phantom(index: number, options: PhantomOptions = {}): Phantom {
  requireOptions(options, "phantom: options");
  const shape = options.shape ?? [96, 96, 96];
  const spacing = options.spacing ?? fround(HEAD_MM / max(...shape));
  checkOptions(shape, spacing);
  const random = rng(options.seed ?? 0, 0, "phantom", index);
  const body = anatomyOf(random, options.lesions ?? 1 + random.int(4));
  const scanner = drawScanner(options.scanners ?? "T1", rng(options.seed ?? 0, 1, "phantom", index));
  const [nz, ny, nx] = shape;
  const image = new Float32Array(nz * ny * nx);
  const labels = new Uint8Array(image.length);
  const r = rotation(body.tilt);
  const half = max(...shape) / 2;
  let at = 0;
  for (let k = 0; k < nz; k++) {
    for (let j = 0; j < ny; j++) {
      for (let i = 0; i < nx; i++, at++) {
        const [u, v, w] = [(i + 0.5 - nx / 2) / half, (j + 0.5 - ny / 2) / half, (k + 0.5 - nz / 2) / half];
        const x = (r[0]! * u + r[1]! * v + r[2]! * w) / body.axes[0];
        const y = (r[3]! * u + r[4]! * v + r[5]! * w) / body.axes[1];
        const z = (r[6]! * u + r[7]! * v + r[8]! * w) / body.axes[2];
        const here = tissueAt(x, y, z, body);
        image[at] = scanner.brightness[here.name];
        labels[at] = here.label;
      }
    }
  }
  blur(image, shape);
  degrade(image, shape, body, scanner, random);
  const origin = [nx, ny, nz].map((n) => (-spacing * (n - 1)) / 2) as [number, number, number];
  const affine = [spacing, 0, 0, origin[0], 0, spacing, 0, origin[1], 0, 0, spacing, origin[2], 0, 0, 0, 1];
  return { image, labels, shape, affine };
}

/** Writes a head's image and label map as NIfTI. */
export async function writeHead(
  { image, labels, shape, affine }: Phantom,
  paths: { readonly image: string; readonly labels: string },
): Promise<void> {
  await writeNifti(paths.image, { data: image, shape, affine, type: "int16", description: "synthetic head" });
  await writeNifti(paths.labels, { data: labels, shape, affine, description: "synthetic head, labels" });
}

/** Writes `count` heads as `images/phantom-000.nii.gz` and `labels/phantom-000.nii.gz` below `folder`, one a step. */
export async function* writePhantoms(
  folder: string,
  count: number,
  options: PhantomOptions = {},
): AsyncGenerator<{ done: number; total: number; image: string; labels: string }> {
  for (let index = 0; index < count; index++) {
    const name = `phantom-${String(index).padStart(3, "0")}.nii.gz`;
    const paths = { image: join(folder, "images", name), labels: join(folder, "labels", name) };
    await writeHead(phantom(index, options), paths);
    yield { done: index + 1, total: count, ...paths };
  }
}
