/** nnU-Net's augmentation of labelled patches: what is drawn, and what becomes of image and label. */
import { native } from "../../lib/binding";
import {
  augmentDrawn,
  augmentedReadSize,
  augmentLabelled,
  type DrawnSegmentation,
  drawSegmentation,
  type LabelledPatch,
  NNUNET_AUGMENTATION,
  NO_AUGMENTATION,
  neededPart,
  type SegmentationAugmentation,
} from "../../lib/data/segmentation-augment";
import { type Random, rng } from "../../lib/random";
import { setThreads, stats } from "../../lib/tensor";

type Triple = readonly [number, number, number];

/** Fresh on every run; set VOXELSPARK_TEST_SEED to repeat one. */
const seed = Number(process.env.VOXELSPARK_TEST_SEED ?? Math.floor(Math.random() * 2 ** 31));
const stream = (step: number, index = 0): Random => rng(seed, step, "augment", index);
const repeat = `VOXELSPARK_TEST_SEED=${seed}`;

/** Every transform happens, to every channel. */
const EVERYTHING = Object.fromEntries(
  Object.entries(NNUNET_AUGMENTATION).map(([name, t]) => [
    name,
    typeof t === "string"
      ? t
      : { ...t, probability: 1, ...("channelProbability" in t && { channelProbability: 1 }) },
  ]),
) as unknown as SegmentationAugmentation;

const voxels = ([d, h, w]: Triple) => d * h * w;

/** Normal noise, and blocks of labels -1, 0, 2 and 5. */
function patchOf(size: Triple, channels = 1, index = 0): LabelledPatch {
  const random = rng(seed, index, "test");
  const image = random.fillNormal(new Float32Array(channels * voxels(size)));
  const label = new Float32Array(voxels(size));
  const table = Array.from({ length: 512 }, () => [-1, 0, 2, 5][random.int(4)]!);
  for (let i = 0; i < label.length; i++) {
    const [z, y, x] = [Math.floor(i / (size[1] * size[2])), Math.floor(i / size[2]) % size[1], i % size[2]];
    label[i] = table[((z >> 2) * 64 + (y >> 2) * 8 + (x >> 2)) % 512]!;
  }
  return { channels, size, image, label };
}

const still: DrawnSegmentation = { scale: 1, mirrored: [false, false, false] };

describe(`draws (${repeat})`, () => {
  const N = 6000;
  const draws = Array.from({ length: N }, (_, i) =>
    drawSegmentation([32, 32, 32], 2, stream(i), NNUNET_AUGMENTATION),
  );
  /** Within five deviations of a share estimated from n draws. */
  const expectShare = (count: number, n: number, p: number) =>
    expect(Math.abs(count / n - p)).toBeLessThan(5 * Math.sqrt((p * (1 - p)) / n));
  const expectRange = (values: readonly number[], low: number, high: number) => {
    expect(values.every((v) => v >= low && v <= high)).toBe(true);
    const slack = 0.05 * (high - low);
    expect(Math.min(...values)).toBeLessThan(low + slack);
    expect(Math.max(...values)).toBeGreaterThan(high - slack);
  };

  test.each([
    ["angles", 0.2],
    ["noise", 0.1],
    ["blur", 0.2],
    ["brightness", 0.15],
    ["contrast", 0.15],
    ["lowResolution", 0.25],
    ["invertedGamma", 0.1],
    ["gamma", 0.3],
  ] as const)("%s happens with probability %d", (name, p) => {
    expectShare(draws.filter((d) => d[name] !== undefined).length, N, p);
  });

  test("rotation turns about every axis by up to 30°, scaling is uniform in [0.7, 1.4]", () => {
    const limit = Math.PI / 6;
    const angles = draws.flatMap((d) => (d.angles ? [d.angles] : []));
    for (const axis of [0, 1, 2])
      expectRange(
        angles.map((a) => a[axis]!),
        -limit,
        limit,
      );
    const scales = draws.map((d) => d.scale).filter((s) => s !== 1);
    expectShare(scales.length, N, 0.2);
    expectRange(scales, 0.7, 1.4);
    expectShare(scales.filter((s) => s < 1.05).length, scales.length, 0.5);
    const both = draws.filter((d) => d.angles && d.scale !== 1).length;
    expectShare(both, N, 0.04); // independent of each other
  });

  test("values lie in nnU-Net's ranges; half of the factors are below 1", () => {
    expectRange(
      draws.flatMap((d) => (d.noise ? [d.noise.sigma] : [])),
      0,
      0.1,
    );
    for (const [name, low, high] of [
      ["brightness", 0.75, 1.25],
      ["contrast", 0.75, 1.25],
      ["invertedGamma", 0.7, 1.5],
      ["gamma", 0.7, 1.5],
    ] as const) {
      const values = draws.flatMap((d) => d[name] ?? []);
      expectRange(values, low, high);
      expectShare(values.filter((v) => v < 1).length, values.length, 0.5);
    }
    for (const [name, values, low] of [
      ["blur", draws.flatMap((d) => d.blur ?? []), 0.5],
      ["lowResolution", draws.flatMap((d) => d.lowResolution ?? []), 0.5],
    ] as const) {
      const chosen = (values as readonly (number | readonly number[] | undefined)[]).filter(
        (v) => v !== undefined,
      );
      expectShare(chosen.length, values.length, 0.5); // each channel on its own
      expectRange(chosen.flat() as number[], low, 1);
      expect([name, chosen.length > 0]).toEqual([name, true]);
    }
    const drawnSigmas = draws.flatMap((d) => d.blur ?? []).find((s) => s !== undefined)!;
    expect(new Set(drawnSigmas).size).toBe(3); // each axis on its own
    for (const d of draws.filter((e) => e.brightness)) expect(d.brightness![0]).not.toBe(d.brightness![1]);
  });

  test("each axis is mirrored with probability ½; noise has a seed of its own", () => {
    for (const axis of [0, 1, 2] as const) expectShare(draws.filter((d) => d.mirrored[axis]).length, N, 0.5);
    const seeds = draws.flatMap((d) => (d.noise ? [d.noise.seed] : []));
    expect(new Set(seeds).size).toBe(seeds.length);
  });

  test("what one setting is moves no other draw", () => {
    const base = drawSegmentation([32, 32, 32], 2, stream(1), EVERYTHING);
    for (const name of ["rotation", "noise", "blur", "gamma", "brightness"] as const) {
      const off = { ...EVERYTHING, [name]: NO_AUGMENTATION[name] };
      const { [name === "rotation" ? "angles" : name]: _gone, ...rest } = base;
      expect(drawSegmentation([32, 32, 32], 2, stream(1), off)).toMatchObject(rest);
    }
  });

  test("flat patches turn within their slices", () => {
    const flat = Array.from({ length: 300 }, (_, i) =>
      drawSegmentation([8, 32, 32], 1, stream(i), EVERYTHING),
    );
    expect(flat.every((d) => d.angles?.[1] === 0 && d.angles[2] === 0)).toBe(true);
    expect(Math.max(...flat.map((d) => d.angles![0]))).toBeGreaterThan(2.8);
  });
});

describe(`patches (${repeat})`, () => {
  test("the read box is nnU-Net's, the patch itself where nothing moves", () => {
    expect(augmentedReadSize([160, 160, 160], NNUNET_AUGMENTATION)).toEqual([257, 257, 257]);
    expect(augmentedReadSize([128, 128, 128], NNUNET_AUGMENTATION)).toEqual([205, 205, 205]);
    expect(augmentedReadSize([160, 96, 64], NO_AUGMENTATION)).toEqual([160, 96, 64]);
  });

  test("without augmentation a patch stays as it is, bit for bit", async () => {
    const read = patchOf([9, 12, 10], 2);
    const found = await augmentLabelled(read, read.size, stream(0), NO_AUGMENTATION);
    expect(found).toEqual(read);
    expect(found.image).not.toBe(read.image);
  });

  test("a draw of nothing is the middle of the box, bit for bit", async () => {
    const patch: Triple = [8, 10, 9];
    const box = augmentedReadSize(patch, NNUNET_AUGMENTATION);
    const read = patchOf(box, 2);
    const found = await augmentDrawn(
      read,
      { start: [0, 0, 0], size: box },
      patch,
      still,
      NNUNET_AUGMENTATION,
    );
    const from = box.map((q, a) => Math.floor((q - patch[a]!) / 2));
    const wanted = { image: new Float32Array(2 * voxels(patch)), label: new Float32Array(voxels(patch)) };
    for (let i = 0; i < voxels(patch); i++) {
      const [z, y, x] = [Math.floor(i / 90), Math.floor(i / 9) % 10, i % 9];
      const at = ((z + from[0]!) * box[1] + y + from[1]!) * box[2] + x + from[2]!;
      wanted.label[i] = read.label[at]!;
      for (const c of [0, 1]) wanted.image[i + c * voxels(patch)] = read.image[at + c * voxels(box)]!;
    }
    expect(found).toMatchObject(wanted);
  });

  test("mirroring reverses image and label exactly", async () => {
    const read = patchOf([5, 6, 7], 2);
    for (let bits = 0; bits < 8; bits++) {
      const mirrored = [(bits & 4) > 0, (bits & 2) > 0, (bits & 1) > 0] as const;
      const drawn = { ...still, mirrored };
      const whole = {
        start: [0, 0, 0] as [number, number, number],
        size: [5, 6, 7] as [number, number, number],
      };
      const found = await augmentDrawn(read, whole, read.size, drawn, NO_AUGMENTATION);
      const wanted = { image: new Float32Array(420), label: new Float32Array(210) };
      for (let i = 0; i < 210; i++) {
        const [z, y, x] = [Math.floor(i / 42), Math.floor(i / 7) % 6, i % 7];
        const j = ((mirrored[0] ? 4 - z : z) * 6 + (mirrored[1] ? 5 - y : y)) * 7 + (mirrored[2] ? 6 - x : x);
        wanted.label[j] = read.label[i]!;
        for (const c of [0, 210]) wanted.image[c + j] = read.image[c + i]!;
      }
      expect(found.image).toEqual(wanted.image);
      expect(found.label).toEqual(wanted.label);
    }
  });

  test("the same stream gives the same bits for any number of threads, another stream others", async () => {
    const patch: Triple = [20, 24, 28];
    const read = patchOf(augmentedReadSize(patch, EVERYTHING), 2);
    const run = (index: number) => augmentLabelled(read, patch, stream(5, index), EVERYTHING);
    const first = await run(0);
    const before = native.info().threads;
    try {
      for (const threads of [1, 3]) {
        setThreads(threads);
        expect(await run(0)).toEqual(first);
      }
    } finally {
      setThreads(before);
    }
    const other = await run(1);
    expect(other.image).not.toEqual(first.image);
    expect(other.label).not.toEqual(first.label);
    expect(first.image.every(Number.isFinite)).toBe(true);
    expect(stats("cpu").liveTensors).toBe(0);
  });

  test("what is needed of the box gives what the whole box would", async () => {
    const patch: Triple = [12, 14, 16];
    for (const interpolation of ["linear", "cubic"] as const)
      for (let i = 0; i < 6; i++) {
        const settings = { ...NNUNET_AUGMENTATION, rotation: EVERYTHING.rotation, interpolation };
        const box = augmentedReadSize(patch, settings);
        const read = patchOf(box, 1, i);
        const whole = await augmentLabelled(read, patch, stream(i), settings);
        const drawn = drawSegmentation(patch, 1, stream(i), settings);
        const part = neededPart(patch, drawn, settings);
        const cut = (volume: Float32Array) => {
          const out = new Float32Array(voxels(part.size));
          for (let k = 0; k < out.length; k++) {
            const [z, y, x] = [
              Math.floor(k / (part.size[1] * part.size[2])) + part.start[0],
              (Math.floor(k / part.size[2]) % part.size[1]) + part.start[1],
              (k % part.size[2]) + part.start[2],
            ];
            out[k] = volume[(z * box[1] + y) * box[2] + x]!;
          }
          return out;
        };
        const less = { channels: 1, size: part.size, image: cut(read.image), label: cut(read.label) };
        const found = await augmentDrawn(less, part, patch, drawn, settings);
        expect(found.label).toEqual(whole.label);
        expect(found.image).toEqual(whole.image);
      }
  });

  test("labels stay in the set of input labels", async () => {
    const patch: Triple = [16, 16, 16];
    for (let i = 0; i < 8; i++) {
      const read = patchOf(augmentedReadSize(patch, EVERYTHING), 1, i);
      const { label } = await augmentLabelled(read, patch, stream(i), EVERYTHING);
      expect([...new Set(label)].filter((v) => ![-1, 0, 2, 5].includes(v))).toEqual([]);
      expect(new Set(label).size).toBeGreaterThan(2);
    }
  });

  test("image and label move together: a ball that is its own label", async () => {
    const patch: Triple = [24, 24, 24];
    const settings = { ...NO_AUGMENTATION, rotation: EVERYTHING.rotation, scaling: EVERYTHING.scaling };
    const mirroring = { probability: 0.5, axes: [0, 1, 2] };
    const size = augmentedReadSize(patch, settings);
    const label = new Float32Array(voxels(size));
    for (let k = 0; k < label.length; k++) {
      const [z, y, x] = [Math.floor(k / (size[1] * size[2])), Math.floor(k / size[2]) % size[1], k % size[2]];
      label[k] = Math.hypot(z - 0.55 * size[0], 1.4 * (y - 0.45 * size[1]), x - 0.5 * size[2]) < 8 ? 1 : 0;
    }
    for (let i = 0; i < 8; i++) {
      const read = { channels: 1, size, image: label.slice(), label };
      const found = await augmentLabelled(read, patch, stream(i), { ...settings, mirroring });
      const apart = found.label.filter((l, k) => {
        const v = found.image[k]!;
        return l >= 0 && Math.abs(v - 0.5) > 1e-4 && l !== (v > 0.5 ? 1 : 0);
      });
      expect(apart.length).toBe(0);
      expect(found.label.filter((l) => l === 1).length).toBeGreaterThan(100);
    }
  });

  test("refuses a patch whose arrays or size do not fit", async () => {
    const read = patchOf([4, 4, 4]);
    const wrong = { code: "ERR_VOXELSPARK_SHAPE" };
    await expect(augmentLabelled(read, [5, 4, 4], stream(0), NO_AUGMENTATION)).rejects.toMatchObject(wrong);
    const part = {
      start: [1, 0, 0] as [number, number, number],
      size: [4, 4, 4] as [number, number, number],
    };
    await expect(augmentDrawn(read, part, [4, 4, 4], still, NO_AUGMENTATION)).rejects.toMatchObject(wrong);
    await expect(
      augmentLabelled({ ...read, channels: 2 }, [4, 4, 4], stream(0), NO_AUGMENTATION),
    ).rejects.toMatchObject(wrong);
  });
});
