/**
 * What a mask saves: the same convolution on a dense volume and on its visible quarter.
 *
 *   npx tsx examples/masked-convolution.ts
 */
import { applyMask, BlockMask, conv3d, sync, type Tensor, tensor } from "voxelspark";

const random = (n: number) => Float32Array.from({ length: n }, () => Math.random() * 2 - 1);

async function seconds(run: () => Tensor): Promise<number> {
  const times: number[] = [];
  for (let i = 0; i < 7; i++) {
    const start = performance.now();
    run().dispose();
    await sync();
    times.push((performance.now() - start) / 1000);
  }
  return times.sort((a, b) => a - b)[3] as number;
}

async function main() {
  const [channels, size] = [32, 64];
  const x = tensor(random(channels * size ** 3), [1, channels, size, size, size]);
  const w = tensor(random(channels * channels * 27), [channels, channels, 3, 3, 3]);
  // 64 blocks of 16³ voxels, every fourth visible.
  const visible = Uint8Array.from({ length: 64 }, (_, i) => ((i + (i >> 2) + (i >> 4)) % 4 === 0 ? 1 : 0));
  const mask = new BlockMask({ samples: 1, grid: [4, 4, 4], visible });
  const sparse = applyMask(x, mask);

  const dense = await seconds(() => conv3d(x, w, undefined, { padding: [1, 1, 1] }));
  const masked = await seconds(() => conv3d(sparse, w, undefined, { padding: [1, 1, 1] }));
  console.log(
    `dense ${(dense * 1e3).toFixed(1)} ms, ${mask.visibleShare * 100} % visible ${(masked * 1e3).toFixed(1)} ms`,
  );
  console.log(`the mask takes ${((masked / dense) * 100).toFixed(0)} % of the dense time`);
}

void main();
