import { outlinePath, planeMask } from "../../lib/pictures/contours";
import { planesOf } from "../../lib/pictures/planes";
import { rng } from "../../lib/random";

const mask = (...rows: string[]) => ({
  rows: rows.length,
  columns: rows[0]!.length,
  data: Uint8Array.from(rows.join(""), (c) => Number(c === "#")),
});
const rings = (path: string) =>
  path
    .split("Z")
    .filter(Boolean)
    .map((ring) =>
      ring
        .slice(1)
        .split("L")
        .map((p) => p.split(" ").map(Number) as [number, number]),
    );
/** In voxels; holes count against what is around them. */
const area = (path: string) =>
  rings(path).reduce((sum, ring) => {
    const twice = ring.reduce((s, [x, y], i) => {
      const [u, v] = ring[(i + 1) % ring.length]!;
      return s + x * v - u * y;
    }, 0);
    return sum + twice / 2 / 4;
  }, 0);

test("one voxel is a diamond around its centre", () => {
  expect(rings(outlinePath(mask("#")))[0]!.sort()).toEqual(
    [
      [0, 1],
      [1, 0],
      [1, 2],
      [2, 1],
    ].sort(),
  );
});

test("a box has straight sides and cut corners, a ring has a hole, two that touch at a corner stay apart", () => {
  const box = outlinePath(mask("....", ".##.", ".##.", "...."));
  expect(rings(box).map((ring) => ring.length)).toEqual([8]);
  expect(area(box)).toBe(4 - 4 / 8);
  const ring = outlinePath(mask("###", "#.#", "###"));
  expect(rings(ring)).toHaveLength(2);
  expect(area(ring)).toBe(9 - 4 / 8 - 1 / 2);
  expect(rings(outlinePath(mask("#.", ".#")))).toHaveLength(2);
  expect(outlinePath(mask("..", ".."))).toBe("");
});

test("every voxel of random masks lies on its side of the outline", () => {
  for (let seed = 0; seed < 20; seed++) {
    const random = rng(seed, 0, "test", 0);
    const [rows, columns] = [1 + random.int(9), 1 + random.int(9)];
    const data = Uint8Array.from({ length: rows * columns }, () => random.int(2));
    const edges = rings(outlinePath({ rows, columns, data })).flatMap((ring) =>
      ring.map((a, i) => [a, ring[(i + 1) % ring.length]!] as const),
    );
    for (let y = 0; y < rows; y++)
      for (let x = 0; x < columns; x++) {
        const [px, py] = [2 * x + 1 + 1e-4, 2 * y + 1 + 2e-4];
        const crossings = edges.filter(
          ([[ax, ay], [bx, by]]) => ay > py !== by > py && px < ax + ((py - ay) / (by - ay)) * (bx - ax),
        );
        expect(crossings.length % 2).toBe(data[y * columns + x]);
      }
  }
});

test("a mask is turned as its plane is shown", () => {
  const labels = Uint8Array.from([0, 1, 2, 3, 4, 5, 6, 7]); // 2 × 2 × 2
  const [axial] = planesOf(["S", "A", "R"]); // right of the body on the left, front on top
  const at = [1, 0, 0] as const;
  const found = planeMask(labels, axial!, { shape: [2, 2, 2], at }, (value) => value === 4);
  expect([...found.data]).toEqual([0, 0, 0, 1]);
});
