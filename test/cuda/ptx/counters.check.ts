/** What the machine counts: accesses whose conflicts and sectors are known from the hardware's rules. */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { runKernel } from "./driver";

const folder = mkdtempSync(join(tmpdir(), "voxelspark-counters-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const counts = ["shared", "passes", "leastPasses", "global", "sectors", "leastSectors"] as const;

function countsOf(body: string): Record<string, number> {
  const file = join(folder, "counters");
  rmSync(file, { force: true });
  const kernel = { body, variables: ".shared .align 16 .b8 tile[8192];" };
  expect(runKernel(kernel, Buffer.alloc(8192), { VOXELSPARK_PTX_COUNTERS: file }).complaint).toBe("");
  const numbers = readFileSync(file, "utf8").trim().split("\t").slice(-counts.length).map(Number);
  return Object.fromEntries(counts.map((name, i) => [name, numbers[i] as number]));
}

const shared = (stride: number, store: string) =>
  `mov.u32 %r1, tile; mad.lo.u32 %r2, %thread, ${stride}, %r1; st.shared.${store};`;
test.each([
  ["words in a row", shared(4, "u32 [%r2], %r3"), 1, 1],
  ["every second word", shared(8, "u32 [%r2], %r3"), 2, 1],
  ["a column of 32 words a row", shared(128, "u32 [%r2], %r3"), 32, 1],
  ["a column of 33 words a row", shared(132, "u32 [%r2], %r3"), 1, 1],
  ["8 bytes in a row: halves of the warp", shared(8, "v2.u32 [%r2], {%r3, %r3}"), 2, 2],
  ["16 bytes in a row: quarters", shared(16, "v4.u32 [%r2], {%r3, %r3, %r3, %r3}"), 4, 4],
  ["16 bytes of every 128", shared(128, "v4.u32 [%r2], {%r3, %r3, %r3, %r3}"), 32, 4],
  ["16 bytes of every 144", shared(144, "v4.u32 [%r2], {%r3, %r3, %r3, %r3}"), 4, 4],
] as const)("shared memory: %s", (_, body, passes, leastPasses) =>
  expect(countsOf(body)).toMatchObject({ shared: 1, passes, leastPasses, global: 0 }),
);

test("shared memory: one word for all is read in one pass", () => {
  const first = "setp.eq.u32 %p1, %thread, 0; @%p1 st.shared.u32 [tile], %thread; bar.warp.sync -1;";
  expect(countsOf(`${first} ld.shared.u32 %r1, [tile];`)).toMatchObject({
    shared: 2,
    passes: 2,
    leastPasses: 2,
  });
});

const global = (stride: number, load: string) =>
  `mul.wide.u32 %rd1, %thread, ${stride}; add.s64 %rd1, %rd1, %buffer; ld.global.${load};`;
test.each([
  ["words in a row", global(4, "u32 %r1, [%rd1]"), 4, 4],
  ["every second word", global(8, "u32 %r1, [%rd1]"), 8, 4],
  ["a word of each sector", global(32, "u32 %r1, [%rd1]"), 32, 4],
  ["one word for all", global(0, "u32 %r1, [%rd1]"), 1, 1],
  ["16 bytes in a row", global(16, "v4.u32 {%r1, %r2, %r3, %r4}, [%rd1]"), 16, 16],
  ["words in a row that begin within a sector", global(4, "u32 %r1, [%rd1+16]"), 5, 4],
] as const)("global memory: %s", (_, body, sectors, leastSectors) =>
  expect(countsOf(body)).toMatchObject({ global: 1, sectors, leastSectors, shared: 0 }),
);
