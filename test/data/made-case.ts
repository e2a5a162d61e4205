/** Cases made directly from arrays, for tests that do not care where images come from. */
import { type CaseProperties, writeCase } from "../../lib/data/case-store";

type Triple = [number, number, number];

export function properties(id: string, shape: Triple, minimum = -1): CaseProperties {
  return {
    id,
    subject: id,
    source: { path: "/x.nii", bytes: 1, mtimeMs: 2, sha256: "0" },
    options: {},
    geometry: { affine: [], spacing: [1, 1, 1], source: "sform", orientation: "RAS" },
    shapes: { source: shape, cropped: shape, stored: shape },
    crop: { start: [0, 0, 0], end: shape },
    spacing: [1, 1, 1],
    mean: 0,
    std: 1,
    minimum,
    warnings: [],
  };
}

export async function madeCase(
  folder: string,
  id: string,
  data: Float32Array,
  shape: Triple,
  minimum = -1,
): Promise<void> {
  await writeCase(
    folder,
    data,
    properties(id, shape, minimum),
    data.length / (shape[0] * shape[1] * shape[2]),
  );
}
