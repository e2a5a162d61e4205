/**
 * nnU-Net's augmentation of a labelled 128³ patch with one channel (method.md §7.5): each change of place and intensity,
 * the mean over draws as nnU-Net makes them, and everything switched on.
 *
 *   npm run bench -- augment --threads 1     what one thread of a loader makes
 */
import {
  augmentDrawn,
  augmentLabelled,
  changeContrast,
  correctGamma,
  drawSegmentation,
  gaussianBlur,
  gaussianNoise,
  type LabelledPatch,
  mirror,
  NNUNET_AUGMENTATION,
  neededPart,
  resampleAffine,
  resampleLabels,
  resize,
  type SegmentationAugmentation,
  scaleIntensity,
  tensor,
} from "../../lib";
import { rng } from "../../lib/random";
import { normal } from "../fixtures";
import type { Bench } from "../harness";

const patch = [128, 128, 128] as const;
const DRAWS = 20;

/** Every transform happens; channels are never spared. */
const EVERYTHING = Object.fromEntries(
  Object.entries(NNUNET_AUGMENTATION).map(([name, t]) => [
    name,
    typeof t === "string"
      ? t
      : { ...t, probability: 1, ...("channelProbability" in t && { channelProbability: 1 }) },
  ]),
) as unknown as SegmentationAugmentation;

/** Noise and nested balls of three labels. */
function phantom(size: readonly [number, number, number]): LabelledPatch {
  const voxels = size[0] * size[1] * size[2];
  const label = new Float32Array(voxels);
  let at = 0;
  for (let z = 0; z < size[0]; z++)
    for (let y = 0; y < size[1]; y++)
      for (let x = 0; x < size[2]; x++) {
        const radius = Math.hypot(z - size[0] / 2, y - size[1] / 2, x - size[2] / 2) / size[2];
        label[at++] = radius < 0.2 ? 3 : radius < 0.3 ? 2 : radius < 0.4 ? 1 : 0;
      }
  return { channels: 1, size, image: rng(0, 0, "bench").fillNormal(new Float32Array(voxels)), label };
}

/** Mean seconds of a patch over many draws; what a draw does not need is not read. */
async function augmentAll(settings: SegmentationAugmentation, draws: number, round: number): Promise<number> {
  await null; // what is made from here on is not the harness's to free
  let seconds = 0;
  for (let i = 0; i < draws; i++) {
    const drawn = drawSegmentation(patch, 1, rng(round, i, "augment"), settings);
    const part = neededPart(patch, drawn, settings);
    const read = phantomOf(part.size);
    const start = process.hrtime.bigint();
    await augmentDrawn(read, part, patch, drawn, settings);
    seconds += Number(process.hrtime.bigint() - start) / 1e9;
  }
  return seconds / draws;
}

const phantoms = new Map<string, LabelledPatch>();
function phantomOf(size: readonly [number, number, number]): LabelledPatch {
  const key = size.join(" ");
  const made = phantoms.get(key) ?? phantom(size);
  if (phantoms.size < 8) phantoms.set(key, made);
  return made;
}

export default async function run(bench: Bench): Promise<void> {
  const x = normal([1, 1, ...patch]);
  const small = phantom(patch);
  const labels = tensor(small.label, [1, 1, ...patch]);
  const [c, s] = [1.1 * Math.cos(0.3), 1.1 * Math.sin(0.3)];
  const turn = [c, s, 0, -25, -s, c, 0, 12, 0, 0, 1.1, -6];
  const bytes = 4 * x.size;
  await bench.compare("transforms of 128³", [
    { name: "mirror x", run: () => mirror(x, [false, false, true]), bytes: 2 * bytes },
    { name: "scaleIntensity", run: () => scaleIntensity(x, 1), bytes: 2 * bytes },
    { name: "changeContrast", run: () => changeContrast(x, 1), bytes: 3 * bytes },
    { name: "correctGamma", run: () => correctGamma(x, 1.0001), bytes: 5 * bytes },
    { name: "correctGamma, inverted", run: () => correctGamma(x, 1.0001, true), bytes: 5 * bytes },
    { name: "gaussianNoise", run: () => gaussianNoise(x, { sigma: 1e-6, seed: 1 }), bytes: 2 * bytes },
    { name: "gaussianBlur, 7 taps", run: () => gaussianBlur(x, [1, 1, 1]), bytes: 2 * bytes },
    {
      name: "low resolution 96³",
      run: () => {
        const coarse = resize(x, [96, 96, 96], { order: 0, clip: false });
        resize(coarse, patch, { order: 1, clip: false });
      },
      bytes: 2 * bytes,
    },
    {
      name: "resampleAffine, linear",
      run: () => resampleAffine(x, patch, turn, { order: 1 }),
      bytes: 2 * bytes,
    },
    { name: "resampleLabels", run: () => resampleLabels(labels, patch, turn), bytes: 2 * bytes },
  ]);
  for (const t of [x, labels]) t.dispose();
  let round = 0;
  const whole = phantom([205, 205, 205]);
  await bench.compare("augmentation of a labelled 128³ patch", [
    { name: `mean of ${DRAWS} draws`, run: () => augmentAll(NNUNET_AUGMENTATION, DRAWS, round++) },
    { name: "everything switched on", run: () => augmentAll(EVERYTHING, 4, round++) },
    {
      name: "everything, read whole",
      run: async () => {
        await null;
        const start = process.hrtime.bigint();
        await augmentLabelled(whole, patch, rng(round++, 0, "augment"), EVERYTHING);
        return Number(process.hrtime.bigint() - start) / 1e9;
      },
    },
  ]);
}
