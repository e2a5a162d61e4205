/** resample at the sizes of data preparation: a head to 1 mm, and the enlarged patch of a 160³ sample. */
import { resampleAffine, resize } from "../../lib";
import { normal } from "../fixtures";
import type { Bench } from "../harness";

const [c, s] = [Math.cos(0.3), Math.sin(0.3)];

export default async function run(bench: Bench): Promise<void> {
  const head = normal([1, 1, 180, 220, 180]);
  const fine = 200 * 240 * 200 * 4;
  await bench.compare("resize 180×220×180 → 200×240×200", [
    { name: "cubic", run: () => resize(head, [200, 240, 200]), bytes: 4 * head.size + fine },
    { name: "linear", run: () => resize(head, [200, 240, 200], { order: 1 }), bytes: 4 * head.size + fine },
  ]);
  const box = normal([1, 1, 257, 257, 257]);
  const turn = [c, s, 0, 10, -s, c, 0, 60, 0, 0, 1, 40];
  const touched = 4 * (box.size + 160 ** 3);
  await bench.compare("affine 257³ → 160³", [
    { name: "cubic", run: () => resampleAffine(box, [160, 160, 160], turn), bytes: touched },
    { name: "linear", run: () => resampleAffine(box, [160, 160, 160], turn, { order: 1 }), bytes: touched },
  ]);
  for (const t of [head, box]) t.dispose();
}
