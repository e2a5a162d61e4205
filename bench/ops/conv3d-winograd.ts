/**
 * 3×3×3 convolutions by Winograd tiles and by the direct engine in turns, dense and with a quarter of the blocks
 * visible. GFLOP/s are those of the direct form at the visible voxels, so that they compare as times do.
 */
import type { Tensor } from "../../lib";
import { launch } from "../../lib/launch";
import { blockMask, normal } from "../fixtures";
import type { Bench } from "../harness";

/** Channels, volume edge and block edge of the stages of ResEnc-L. */
const layers = [
  [32, 64, 32],
  [64, 48, 16],
  [128, 24, 8],
  [256, 12, 4],
  [320, 10, 2],
] as const;
const ways = { direct: 0, f2: 1, f4: 2 };

async function compareLayer(
  bench: Bench,
  [channels, edge, block]: (typeof layers)[number],
  ratio: number,
): Promise<void> {
  const shape = [1, channels, edge, edge, edge];
  const mask = ratio ? blockMask([edge, edge, edge], block, ratio) : undefined;
  const x = normal(shape, { mask });
  const gy = normal(shape, { mask });
  const weight = normal([channels, channels, 3, 3, 3]);
  const bias = normal([channels]);
  const voxels = edge ** 3 * (mask?.visibleShare ?? 1);
  const flops = 2 * 27 * channels ** 2 * voxels;
  const geometry = { stride: [1, 1, 1], padding: [1, 1, 1] } as const;
  const contestants = (pass: string, of: (winograd: number) => Tensor[]) =>
    Object.entries(ways).map(([name, winograd]) => ({
      name: `${pass} ${name}`,
      run: () => of(winograd),
      flops,
    }));
  const name = `C ${channels}, ${edge}³, ${mask ? `blocks of ${block}, 75 % masked` : "dense"}`;
  await bench.compare(
    `forward, ${name}`,
    contestants("forward", (winograd) =>
      launch("conv3d_forward", [x, weight, bias], { ...geometry, winograd }),
    ),
  );
  await bench.compare(
    `input gradient, ${name}`,
    contestants("grad_input", (winograd) =>
      launch("conv3d_grad_input", [gy, weight], {
        ...geometry,
        winograd,
        size: [edge, edge, edge],
        mask,
      }),
    ),
  );
  await bench.compare(
    `weight gradient, ${name}`,
    contestants("grad_weight", (winograd) =>
      launch("conv3d_grad_weight", [x, gy], { ...geometry, winograd, kernel: [3, 3, 3] }),
    ),
  );
  for (const t of [x, gy, weight, bias, mask]) t?.dispose();
}

export default async function run(bench: Bench): Promise<void> {
  for (const layer of layers) for (const ratio of [0, 0.75]) await compareLayer(bench, layer, ratio);
}
