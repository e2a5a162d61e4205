/**
 * Random patches out of a preprocessed volume, as the loader reads them, beside reading the volume whole.
 * The file is in the page cache: what is measured is decompression, checksums and copying, on one thread.
 *
 *   npm run bench -- read [--patch 160]
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { StoredCase } from "../../lib/data/case-store";
import { writePhantoms } from "../../lib/data/phantoms";
import { preprocess } from "../../lib/data/preprocess";
import { findCases } from "../../lib/data/sources";
import { rng } from "../../lib/random";
import type { Bench } from "../harness";

const VOLUME = 224;

async function storedPhantom(folder: string): Promise<StoredCase> {
  for await (const _ of writePhantoms(folder, 1, { shape: [VOLUME, VOLUME, VOLUME], spacing: 1 }));
  const cases = join(folder, "cases");
  const images = await findCases(join(folder, "images"));
  for await (const _ of preprocess(images, cases, { spacing: [1, 1, 1] }));
  return StoredCase.open(cases, images[0]!.id);
}

export default async function read(bench: Bench): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "voxelspark-bench-"));
  try {
    const stored = await storedPhantom(folder);
    const whole = stored.properties.shapes.stored;
    const size = whole.map((n) => Math.min(n, bench.options.patch)) as [number, number, number];
    const random = rng(0, 0, "bench");
    const timed = async (start: typeof size, box: typeof size) => {
      const began = performance.now();
      await stored.read(start, box);
      return (performance.now() - began) / 1000;
    };
    const bytes = (box: typeof size) => 4 * box[0] * box[1] * box[2];
    await bench.compare(`Patch out of a case of ${whole.join(" × ")} voxels`, [
      {
        name: `random ${size.join(" × ")} patch`,
        run: () => timed(whole.map((n, a) => random.int(n - size[a]! + 1)) as typeof size, size),
        bytes: bytes(size),
      },
      {
        name: "the whole case",
        run: () => timed([0, 0, 0], whole as typeof size),
        bytes: bytes(whole as typeof size),
      },
    ]);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
