/** Uploads, changes and reads tensors of many sizes in a row, and tells how many come back wrong: see transfers.check.ts. */
import { leakyRelu, scope, type Tensor, tensor } from "../../lib";
import { forget, type Steering, steer } from "./control";

/** Elements: of one small copy, and of a few to many pieces. */
const SIZES = [3, 4000, 5000, 9000, 40_000, 100_000];
const values = (size: number, seed: number) =>
  Float32Array.from({ length: size }, (_, i) => (i * 7 + seed) % 1013);

/** Twice the values, since a kernel reads them too, of tensors that are set anew while it may still run. */
async function rounds(): Promise<number> {
  const kept = SIZES.map((size) => tensor(values(size, 0), [size], { device: "cuda" }));
  const found: [Tensor, Float32Array][] = [];
  for (let round = 1; round <= 6; round++)
    for (const t of kept) {
      const given = values(t.size, round * 31);
      t.set(given);
      found.push([scope(() => leakyRelu(t, 1)), given]);
    }
  // Small ones together, so that their reads overlap.
  const read = await Promise.all(found.map(([t]) => t.data()));
  const wrong = read.filter((data, i) => data.some((v, k) => v !== found[i]![1][k])).length;
  for (const t of [...kept, ...found.map(([t]) => t)]) t.dispose();
  return wrong;
}

async function main(): Promise<void> {
  const wrong: Record<string, number> = {};
  for (const lateStreams of [
    "none",
    "threads",
    "created",
    "both",
  ] as const satisfies Steering["lateStreams"][]) {
    steer({ lateStreams });
    wrong[lateStreams] = await rounds();
  }
  console.log(JSON.stringify(wrong));
  forget();
}

void main();
