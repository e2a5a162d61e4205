/** The decoder's convolution of [upsampled, skip]: the two joined on load, beside their concatenation and its convolution. */
import { concat, conv3d, Tape } from "../../lib";
import { normal } from "../fixtures";
import type { Bench } from "../harness";

const options = { padding: [1, 1, 1], winograd: "f4" } as const;

export default async function run(bench: Bench): Promise<void> {
  for (const [channels, edge] of [
    [32, 96],
    [64, 48],
    [128, 24],
    [256, 12],
  ] as const) {
    const grad = { requiresGrad: true };
    const map = () => normal([1, channels, edge, edge, edge], grad);
    const [up, skip, gy] = [map(), map(), normal([1, channels, edge, edge, edge])];
    const weight = normal([channels, 2 * channels, 3, 3, 3], grad);
    const bias = normal([channels], grad);
    const ways = {
      concatenated: () => conv3d(concat(up, skip), weight, bias, options),
      "joined on load": () => conv3d([up, skip], weight, bias, options),
    };
    const trained = (forward: () => ReturnType<typeof conv3d>) => () => {
      const tape = new Tape();
      tape.backward(tape.record(forward), gy);
      for (const t of [up, skip, weight, bias]) t.zeroGrad();
    };
    const group = `decoder convolution ${2 * channels} to ${channels}, ${edge}³`;
    const named = Object.entries(ways);
    await bench.compare(
      `${group}, forward`,
      named.map(([name, forward]) => ({ name, run: forward })),
    );
    await bench.compare(
      `${group}, forward and backward`,
      named.map(([name, forward]) => ({ name, run: trained(forward) })),
    );
    for (const t of [up, skip, gy, weight, bias]) t.dispose();
  }
}
