/** All transforms of the augmentation in their order, as NumPy and SciPy do them: test/golden/augment_chain.py. */
import {
  augmentDrawn,
  augmentedReadSize,
  type DrawnSegmentation,
  NNUNET_AUGMENTATION,
} from "../../lib/data/segmentation-augment";
import golden from "../golden/augment_chain.json";
import { freeAfterEach } from "../lifetime";

freeAfterEach();
type Triple = [number, number, number];
const CHANNELS = 2;

/** Calls `value` for every voxel. */
function volume([d, h, w]: Triple, value: (z: number, y: number, x: number) => number): Float32Array {
  return Float32Array.from({ length: d * h * w }, (_, i) =>
    value(Math.floor(i / (h * w)), Math.floor(i / w) % h, i % w),
  );
}

/** What JSON writes as null is not drawn. */
function drawnOf({ blur, lowResolution, ...drawn }: (typeof golden.cases)[number]["drawn"]) {
  const chosen = <T>(values: readonly (T | null)[]) => values.map((v) => v ?? undefined);
  return {
    ...drawn,
    blur: chosen(blur),
    lowResolution: chosen(lowResolution),
  } as unknown as DrawnSegmentation;
}

test.each(golden.cases)("$name", async (c) => {
  const [patch, size, drawn] = [c.patch as Triple, c.box as Triple, drawnOf(c.drawn)];
  expect(augmentedReadSize(patch, NNUNET_AUGMENTATION)).toEqual(size);
  const image = new Float32Array(CHANNELS * size[0] * size[1] * size[2]);
  for (let k = 0; k < CHANNELS; k++)
    image.set(
      volume(size, (z, y, x) => ((31 * x + 17 * y + 7 * z + x * y * z + 13 * k) % 97) / 16 - 3),
      (k * image.length) / CHANNELS,
    );
  const third = (v: number) => Math.floor(v / 3);
  const label = volume(size, (z, y, x) => (x < 2 ? -1 : (third(z) + Math.floor(y / 4) + third(x)) % 4));
  const read = { channels: CHANNELS, size, image, label };
  const made = await augmentDrawn(read, { start: [0, 0, 0], size }, patch, drawn, NNUNET_AUGMENTATION);
  expect([...made.label]).toEqual(c.label);
  expect(made.image.length).toBe(c.image.length);
  expect(Math.max(...made.image.map((v, i) => Math.abs(v - c.image[i]!)))).toBeLessThan(2e-5);
});
