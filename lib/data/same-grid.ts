/** Whether two images lie on the same grid. */
import { GeometryError } from "../errors";
import {
  ANGLE_TOLERANCE,
  angle,
  column,
  type Geometry,
  ORIGIN_TOLERANCE,
  SPACING_TOLERANCE,
} from "./geometry";

const { abs, hypot, max } = Math;

function fail(names: string, sentence: string): never {
  throw new GeometryError("ERR_VOXELSPARK_GEOMETRY", `${names}: ${sentence}`);
}

export interface Placed {
  readonly shape: readonly number[]; // z, y, x
  readonly geometry: Geometry;
}

/** Throws unless both images lie on the same grid: shape exactly, spacing, direction and origin within tolerance. */
export function requireSameGrid(a: Placed, b: Placed, nameA: string, nameB: string): void {
  const both = `${nameA} and ${nameB}`;
  if (a.shape.join() !== b.shape.join())
    fail(both, `shapes differ: (${a.shape}) and (${b.shape}) voxels (z, y, x).`);
  const [p, q] = [a.geometry, b.geometry];
  const ratio = max(...p.spacing.map((s, i) => abs(s / q.spacing[i]! - 1)));
  if (ratio > SPACING_TOLERANCE)
    fail(
      both,
      `spacings differ: [${p.spacing}] and [${q.spacing}] mm, allowed is a relative difference of ${SPACING_TOLERANCE}.`,
    );
  const turn = max(...[0, 1, 2].map((axis) => angle(column(p.affine, axis), column(q.affine, axis))));
  if (turn > ANGLE_TOLERANCE)
    fail(both, `directions differ by ${turn.toPrecision(3)} rad, allowed is ${ANGLE_TOLERANCE}.`);
  const origins = [column(p.affine, 3), column(q.affine, 3)] as const;
  const shift = hypot(...origins[0].map((v, i) => v - origins[1][i]!)) / Math.min(...p.spacing);
  if (shift > ORIGIN_TOLERANCE)
    fail(
      both,
      `origins [${origins[0]}] and [${origins[1]}] mm lie ${shift.toPrecision(3)} voxels apart, allowed is ${ORIGIN_TOLERANCE}.`,
    );
}
