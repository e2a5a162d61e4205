/**
 * Where voxels lie in the head: affine, spacing and orientation of a NIfTI image by nibabel's rules, with
 * the checks and tolerances of this project. Axes here are the file's (x, y, z); arrays are (z, y, x).
 */
import { GeometryError } from "../errors";

export type Vector3 = [number, number, number];
/** Row-major 4×4: voxel index (i, j, k) along the file's axes → millimetres, +x right, +y front, +z up. */
export type Affine = readonly number[];
export type GeometrySource = "sform" | "qform" | "pixdim";
/** "auto" takes the sform, then the qform, and refuses an image whose two forms disagree. */
export type GeometryChoice = "auto" | "sform" | "qform";

export interface Geometry {
  readonly affine: Affine;
  /** Voxel size in mm along the file's axes x, y, z. */
  readonly spacing: Vector3;
  readonly source: GeometrySource;
  /** Direction each file axis runs to, for example "RAS" or "LPI". */
  readonly orientation: string;
}

/** The geometry fields of a NIfTI header, as stored. */
export interface GeometryFields {
  shape: Vector3; // x, y, z
  pixdim: readonly number[]; // [qfac, dx, dy, dz, …]
  qformCode: number;
  sformCode: number;
  quaternion: Vector3; // b, c, d
  qoffset: Vector3;
  srow: readonly number[]; // 12 numbers, three rows of the affine
}

const SPACING_LIMITS = [0.01, 100] as const; // mm
export const ANGLE_TOLERANCE = 1e-3; // rad
export const ORIGIN_TOLERANCE = 0.1; // voxel
export const SPACING_TOLERANCE = 1e-3; // relative
const FORM_CODES = 5; // NIfTI defines 0 … 5 (unknown, scanner, aligned, Talairach, MNI 152, template)
// Stored as float32, a 180° quaternion has b²+c²+d² up to a few units in the last place above 1.
const QUATERNION_TOLERANCE = 1e-5;

const { abs, sqrt, hypot, max, acos, asin } = Math;

export function column(affine: Affine, axis: number): Vector3 {
  return [affine[axis]!, affine[4 + axis]!, affine[8 + axis]!];
}

function dot(a: Vector3, b: Vector3): number {
  return a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
}

function scaled(a: Vector3, s: number): Vector3 {
  return [a[0] * s, a[1] * s, a[2] * s];
}

/** Angle between two vectors of any length, exact near zero. */
export function angle(a: Vector3, b: Vector3): number {
  const difference = hypot(...(a.map((v, i) => v / hypot(...a) - b[i]! / hypot(...b)) as Vector3));
  return 2 * asin(Math.min(1, difference / 2));
}

function determinant(affine: Affine): number {
  const [a, b, c] = [column(affine, 0), column(affine, 1), column(affine, 2)];
  return dot(a, [b[1] * c[2] - b[2] * c[1], b[2] * c[0] - b[0] * c[2], b[0] * c[1] - b[1] * c[0]]);
}

/** Voxel size along the three file axes: lengths of the affine's columns. */
export function spacingOf(affine: Affine): Vector3 {
  return [0, 1, 2].map((axis) => hypot(...column(affine, axis))) as Vector3;
}

/** Rotation of the unit quaternion (a, b, c, d); the three stored numbers imply a ≥ 0. */
function affineFromQuaternion(fields: GeometryFields, source = "image"): number[] {
  const [b, c, d] = fields.quaternion;
  const rest = 1 - (b * b + c * c + d * d);
  if (!(rest >= -QUATERNION_TOLERANCE)) {
    throw new GeometryError(
      "ERR_VOXELSPARK_GEOMETRY",
      `${source}: the qform quaternion (${b}, ${c}, ${d}) has squared length ${b * b + c * c + d * d}, allowed is at most 1.`,
    );
  }
  // nibabel's rule: a rest of three units in the last place is rounding noise of a half turn. float32 numbers
  // come from NIfTI-1, where that noise would turn the image by up to 6e-4 rad.
  const noise = 3 * (fields.quaternion.every((v) => Math.fround(v) === v) ? 2 ** -23 : 2 ** -52);
  const a = rest > noise ? sqrt(rest) : 0;
  const s = 2 / (a * a + b * b + c * c + d * d);
  const rotation = [
    [1 - s * (c * c + d * d), s * (b * c - a * d), s * (b * d + a * c)],
    [s * (b * c + a * d), 1 - s * (b * b + d * d), s * (c * d - a * b)],
    [s * (b * d - a * c), s * (c * d + a * b), 1 - s * (b * b + c * c)],
  ];
  const qfac = fields.pixdim[0]! < 0 ? -1 : 1; // only the sign counts, 0 means +1
  const size = [fields.pixdim[1]!, fields.pixdim[2]!, fields.pixdim[3]! * qfac];
  const rows = rotation.map((row, i) => [...row.map((r, j) => r * size[j]!), fields.qoffset[i]!]);
  return [...rows.flat(), 0, 0, 0, 1];
}

/** nibabel's affine of an image without codes: x runs left, origin in the middle of the volume. */
function affineFromPixdim(fields: GeometryFields): number[] {
  const size = [-fields.pixdim[1]!, fields.pixdim[2]!, fields.pixdim[3]!];
  const rows = size.map((s, i) => {
    const row = [0, 0, 0, (-s * (fields.shape[i]! - 1)) / 2];
    row[i] = s;
    return row;
  });
  return [...rows.flat(), 0, 0, 0, 1];
}

/** The stored quaternion, qfac and offset of an affine without shear. */
export function quaternionFromAffine(affine: Affine): { quaternion: Vector3; qfac: 1 | -1 } {
  const qfac = determinant(affine) < 0 ? -1 : 1;
  const spacing = spacingOf(affine);
  const columns = [0, 1, 2].map((axis) =>
    scaled(column(affine, axis), (axis === 2 ? qfac : 1) / spacing[axis]!),
  );
  const r = (row: number, col: number): number => columns[col]![row]!;
  // The largest of the four components is computed from the diagonal, so that no difference cancels.
  const squares = [
    1 + r(0, 0) + r(1, 1) + r(2, 2),
    1 + r(0, 0) - r(1, 1) - r(2, 2),
    1 - r(0, 0) + r(1, 1) - r(2, 2),
    1 - r(0, 0) - r(1, 1) + r(2, 2),
  ];
  const largest = squares.indexOf(max(...squares));
  const m = sqrt(squares[largest]!) / 2;
  const products = [
    [m, (r(2, 1) - r(1, 2)) / (4 * m), (r(0, 2) - r(2, 0)) / (4 * m), (r(1, 0) - r(0, 1)) / (4 * m)],
    [(r(2, 1) - r(1, 2)) / (4 * m), m, (r(1, 0) + r(0, 1)) / (4 * m), (r(0, 2) + r(2, 0)) / (4 * m)],
    [(r(0, 2) - r(2, 0)) / (4 * m), (r(1, 0) + r(0, 1)) / (4 * m), m, (r(2, 1) + r(1, 2)) / (4 * m)],
    [(r(1, 0) - r(0, 1)) / (4 * m), (r(0, 2) + r(2, 0)) / (4 * m), (r(2, 1) + r(1, 2)) / (4 * m), m],
  ];
  const [a, ...bcd] = products[largest]!;
  const sign = a! < 0 ? -1 : 1;
  return { quaternion: bcd.map((v) => v * sign + 0) as Vector3, qfac };
}

/** "RAS"-style code: for each file axis the letter of the direction that it is closest to. */
export function orientationOf(affine: Affine): string {
  const free = new Set([0, 1, 2]);
  const letters = ["", "", ""];
  const spacing = spacingOf(affine);
  const pairs = [0, 1, 2].flatMap((axis) =>
    [0, 1, 2].map((world) => ({ axis, world, value: column(affine, axis)[world]! / spacing[axis]! })),
  );
  pairs.sort((p, q) => abs(q.value) - abs(p.value)); // the best-aligned pairs choose first
  for (const { axis, world, value } of pairs) {
    if (letters[axis] !== "" || !free.has(world)) continue;
    letters[axis] = (value > 0 ? "RAS" : "LPI")[world]!;
    free.delete(world);
  }
  return letters.join("");
}

function fail(source: string, sentence: string): never {
  throw new GeometryError("ERR_VOXELSPARK_GEOMETRY", `${source}: ${sentence}`);
}

const mm = (sizes: readonly number[]) => `[${sizes.map((v) => Number(v.toPrecision(6))).join(", ")}] mm`;

function checkSpacing(spacing: readonly number[], what: string, source: string): void {
  const [low, high] = SPACING_LIMITS;
  if (!spacing.every((s) => s >= low && s <= high)) {
    fail(source, `${what} is ${mm(spacing)}, allowed is ${low} to ${high} mm on each axis.`);
  }
}

/** @internal @throws GeometryError for an affine that is no rectangular grid; `form` names it */
export function checkAffine(affine: Affine, form: string, source: string): void {
  if (!affine.every(Number.isFinite))
    fail(source, `the ${form} holds a non-finite number: [${affine.join(", ")}].`);
  const spacing = spacingOf(affine);
  if (
    spacing.some((s) => s === 0) ||
    abs(determinant(affine)) < 1e-6 * spacing[0] * spacing[1] * spacing[2]
  ) {
    fail(source, `the ${form} is singular, its columns span no volume: [${affine.slice(0, 12).join(", ")}].`);
  }
  checkSpacing(spacing, `the spacing of the ${form}`, source);
  for (const [p, q] of [
    [0, 1],
    [0, 2],
    [1, 2],
  ] as const) {
    const shear = abs(
      Math.PI / 2 - acos(dot(column(affine, p), column(affine, q)) / (spacing[p]! * spacing[q]!)),
    );
    if (shear > ANGLE_TOLERANCE) {
      fail(
        source,
        `the ${form} is sheared by ${shear.toFixed(5)} rad between axes ${"xyz"[p]} and ${"xyz"[q]}, allowed is ` +
          `${ANGLE_TOLERANCE}. Resample the image to a rectangular grid first.`,
      );
    }
  }
}

/** Largest distance, in voxels, between the places that two affines give to the corners of a volume. */
function cornerDistance(a: Affine, b: Affine, shape: Vector3): number {
  const smallest = Math.min(...spacingOf(a));
  let distance = 0;
  for (let corner = 0; corner < 8; corner++) {
    const index = [0, 1, 2].map((axis) => ((corner >> axis) & 1) * (shape[axis]! - 1));
    const delta = [0, 1, 2].map((row) => {
      const at = (m: Affine): number =>
        m[row * 4]! * index[0]! + m[row * 4 + 1]! * index[1]! + m[row * 4 + 2]! * index[2]! + m[row * 4 + 3]!;
      return at(a) - at(b);
    });
    distance = max(distance, hypot(...delta) / smallest);
  }
  return distance;
}

function checkForms(
  sform: Affine,
  qform: Affine,
  fields: GeometryFields,
  source: string,
  warnings: string[],
): void {
  const turn = max(...[0, 1, 2].map((axis) => angle(column(sform, axis), column(qform, axis))));
  const shift = cornerDistance(sform, qform, fields.shape);
  if (turn <= ANGLE_TOLERANCE && shift <= ORIGIN_TOLERANCE) return;
  const found = `sform and qform disagree by ${turn.toPrecision(3)} rad and ${shift.toPrecision(3)} voxels`;
  if (fields.sformCode !== fields.qformCode) {
    // Different codes name different spaces, such as scanner and atlas: both may be right.
    warnings.push(
      `${source}: ${found}; codes ${fields.sformCode} and ${fields.qformCode}, the sform is taken.`,
    );
    return;
  }
  fail(
    source,
    `${found}, allowed are ${ANGLE_TOLERANCE} and ${ORIGIN_TOLERANCE}. ` +
      `Choose one with --geometry sform or --geometry qform.`,
  );
}

function checkCodes(fields: GeometryFields, source: string): void {
  for (const [name, code] of [
    ["qform_code", fields.qformCode],
    ["sform_code", fields.sformCode],
  ] as const) {
    if (code < 0 || code > FORM_CODES) fail(source, `${name} is ${code}, allowed is 0 to ${FORM_CODES}.`);
  }
}

/** A form of the header as an affine. The sform needs no pixdim; the others have their sizes from it. */
function affineOf(form: GeometrySource, fields: GeometryFields, source: string): Affine {
  if (form !== "sform") checkSpacing(fields.pixdim.slice(1, 4), "pixdim", source);
  const affine =
    form === "sform"
      ? [...fields.srow, 0, 0, 0, 1]
      : form === "qform"
        ? affineFromQuaternion(fields, source)
        : affineFromPixdim(fields);
  checkAffine(affine, form, source);
  return affine;
}

/** The form, or where it is unfit and the other one is not, an error that says so: `auto` never chooses silently. */
function affineBeside(
  other: "sform" | "qform",
  form: "sform" | "qform",
  fields: GeometryFields,
  source: string,
): Affine {
  try {
    return affineOf(form, fields, source);
  } catch (error) {
    if (!(error instanceof GeometryError)) throw error;
    try {
      affineOf(other, fields, source);
    } catch {
      throw error;
    }
    throw new GeometryError(error.code, `${error.message} To take the ${other}: --geometry ${other}.`);
  }
}

/** The affine of the chosen form; where both are set and none is chosen, the sform, which the qform has to agree with. */
function chosenAffine(
  fields: GeometryFields,
  source: string,
  choice: GeometryChoice,
  warnings: string[],
): { form: GeometrySource; affine: Affine } {
  const has = { sform: fields.sformCode > 0, qform: fields.qformCode > 0 };
  if (choice !== "auto" && !has[choice])
    fail(source, `--geometry ${choice} was asked for, but ${choice}_code is 0.`);
  if (choice === "auto" && has.sform && has.qform) {
    const affine = affineBeside("qform", "sform", fields, source);
    checkForms(affine, affineBeside("sform", "qform", fields, source), fields, source, warnings);
    return { form: "sform", affine };
  }
  const form = choice !== "auto" ? choice : has.sform ? "sform" : has.qform ? "qform" : "pixdim";
  return { form, affine: affineOf(form, fields, source) };
}

/**
 * Geometry of an image: sform if its code is set, else qform, else the plain voxel grid with a warning
 * (nibabel's order). Spacing, shear, singularity and agreement of both forms are checked; a form that is not asked for
 * is not.
 */
export function geometryOf(
  fields: GeometryFields,
  source: string,
  choice: GeometryChoice = "auto",
  warnings: string[] = [],
): Geometry {
  checkCodes(fields, source);
  const { form, affine } = chosenAffine(fields, source, choice, warnings);
  const spacing = spacingOf(affine);
  const pixdim = fields.pixdim.slice(1, 4);
  if (form === "pixdim")
    warnings.push(`${source}: neither sform nor qform is set; voxel axes and sizes are taken from pixdim.`);
  else if (!spacing.every((s, i) => abs(pixdim[i]! / s - 1) <= SPACING_TOLERANCE))
    warnings.push(`${source}: pixdim is ${mm(pixdim)}, the ${form}'s spacing of ${mm(spacing)} is taken.`);
  return { affine, spacing, source: form, orientation: orientationOf(affine) };
}
