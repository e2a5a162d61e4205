/** Input patches of the golden S3D runs; the formula is explained in pattern.py and exact in float32. */

function mix(h: number): number {
  h ^= h >>> 16;
  h = Math.imul(h, 0x7feb352d);
  h ^= h >>> 15;
  h = Math.imul(h, 0x846ca68b);
  return (h ^ (h >>> 16)) >>> 0;
}

/** Triangle wave of period 16, 0 to 2. */
const wave = (v: number) => Math.abs((v % 16) - 8) / 4;

/** (N, 1, D, H, W) values of step `step`. */
export function pattern(
  seed: number,
  step: number,
  samples: number,
  size: readonly [number, number, number],
): Float32Array {
  const [depth, height, width] = size;
  const values = new Float32Array(samples * depth * height * width);
  let at = 0;
  for (let n = 0; n < samples; n++) {
    const key = mix((seed + Math.imul(0x9e3779b9, step * 64 + n + 1)) | 0);
    let index = 0;
    for (let z = 0; z < depth; z++)
      for (let y = 0; y < height; y++)
        for (let x = 0; x < width; x++) {
          const noise = (mix(key ^ index++) >>> 16) / 65536 - 0.5;
          const waves = wave(z + (key & 15)) + wave(y + ((key >>> 4) & 15)) + wave(x + ((key >>> 8) & 15));
          values[at++] = waves - 3 + noise;
        }
  }
  return values;
}
