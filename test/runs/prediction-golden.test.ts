/** Whole cases predicted as NumPy and SciPy predict them, see test/golden/prediction.py. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { conv3d, tensor, writeNifti } from "../../lib";
import { type LabelScheme, outputChannels } from "../../lib/labels";
import { type PredictionModel, predictCase } from "../../lib/runs/prediction";
import { temporaryFolder } from "../data/temp";
import golden from "../golden/prediction.json";
import { freeAfterEach } from "../lifetime";

freeAfterEach();
const folder = temporaryFolder();
type Triple = [number, number, number];
type Case = (typeof golden.cases)[number];

/** Whole numbers; zeros in front of and behind the head. */
function intensities([d, h, w]: Triple, channel: number): Float32Array {
  return Float32Array.from({ length: d * h * w }, (_, i) => {
    const [z, y, x] = [Math.floor(i / (h * w)), Math.floor(i / w) % h, i % w];
    const inside = z > 0 && y > 1 && y < h - 1 && x < w - 1;
    return inside ? ((31 * x + 17 * y + 7 * z + x * y * z + 13 * channel) % 97) + 1 : 0;
  });
}

/** One convolution 3×3×3 with zero padding. */
function network(c: Case, n: number): PredictionModel {
  const labels = c.scheme as unknown as LabelScheme;
  const shape = [outputChannels(labels), c.channels, 3, 3, 3];
  const size = shape.reduce((a, b) => a * b);
  const weight = tensor(
    Float32Array.from({ length: size }, (_, i) => (((7 * i + 5 * n) % 13) - 6) / 8),
    shape,
  );
  const preprocessing = {
    ...{ spacing: c.target as Triple, crop: "nonzero", normalization: "zscore", interpolation: "cubic" },
    ...{ anisotropyThreshold: 3, nonFinite: "error", geometry: "auto" },
  } as PredictionModel["plan"]["preprocessing"];
  const prediction = { step: c.step, mirroring: c.mirroring };
  const channels = Array.from({ length: c.channels }, (_, i) => `channel ${i}`);
  return {
    model: { forward: (x) => conv3d(x, weight, undefined, { padding: [1, 1, 1] }) },
    plan: { channels, labels, patch: c.patch as Triple, preprocessing, prediction },
  };
}

test.each(golden.cases)("$name", async (c) => {
  const [shape, [z, y, x]] = [c.shape as Triple, c.spacing as Triple];
  const files = Array.from({ length: c.channels }, (_, i) => join(folder, `${c.name}_${i}.nii.gz`));
  const affine = [x, 0, 0, 0, 0, y, 0, 0, 0, 0, z, 0, 0, 0, 0, 1];
  for (const [i, file] of files.entries())
    await writeNifti(file, { data: intensities(shape, i), shape, affine });
  const models = Array.from({ length: c.networks }, (_, n) => network(c, n));
  const probabilities = join(folder, `${c.name}.npy`);
  const { labels } = await predictCase(models, files, { probabilities });
  expect(labels.join("")).toBe(c.labels);
  const bytes = readFileSync(probabilities);
  const first = 10 + bytes.readUInt16LE(8);
  for (const [i, wanted] of c.probabilities.entries())
    expect(Math.abs(bytes.readFloatLE(first + 4 * golden.every * i) - wanted)).toBeLessThan(5e-6);
});
