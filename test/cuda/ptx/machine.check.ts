/** Lanes that part and meet, barriers, shuffles, vectors, and every complaint of the machine about a kernel. */
import { type Kernel, runKernel } from "./driver";

/** What each thread stores at its word of the buffer. */
function words(kernel: Kernel): number[] {
  const threads = kernel.threads ?? 32;
  const { complaint, output } = runKernel(kernel, Buffer.alloc(4 * threads));
  expect(complaint).toBe("");
  return Array.from({ length: threads }, (_, t) => output.readInt32LE(4 * t));
}
const complaintOf = (kernel: Kernel, bytes = 4096) => runKernel(kernel, Buffer.alloc(bytes)).complaint;

const own = "mul.wide.u32 %rd1, %thread, 4;\nadd.s64 %rd1, %rd1, %buffer;\n";
const store = (register: string) => `${own}st.global.u32 [%rd1], ${register};`;
const threads = (n: number, of: (t: number) => number) => Array.from({ length: n }, (_, t) => of(t));

describe("lanes that part", () => {
  test("loops of as many rounds as the lane's number", () => {
    const body = `mov.u32 %r1, 0; mov.u32 %r2, 0;
LOOP: setp.ge.u32 %p1, %r2, %thread; @%p1 bra OVER;
add.u32 %r1, %r1, %r2; add.u32 %r2, %r2, 1; bra LOOP;
OVER: ${store("%r1")}`;
    expect(words({ body, threads: 40 })).toEqual(threads(40, (t) => (t * t - t) / 2));
  });

  test("branches within branches meet where they part, for an instruction of all lanes", () => {
    const body = `mov.u32 %r1, 0; and.b32 %r2, %thread, 1; and.b32 %r3, %thread, 2;
setp.ne.u32 %p1, %r2, 0; setp.ne.u32 %p2, %r3, 0;
@%p1 bra ODD; @!%p2 bra MEET; add.u32 %r1, %r1, 100; bra MEET;
ODD: add.u32 %r1, %r1, 1; @%p2 bra MORE; add.u32 %r1, %r1, 10; bra MEET;
MORE: add.u32 %r1, %r1, 1000;
MEET: shfl.sync.bfly.b32 %r4|%p3, %r1, 1, 31, -1; ${store("%r4")}`;
    const sum = (t: number) => (t & 1 ? 1 + (t & 2 ? 1000 : 10) : t & 2 ? 100 : 0);
    expect(words({ body })).toEqual(threads(32, (t) => sum(t ^ 1)));
  });

  test("lanes that end early leave the others alone; guards hold back single instructions", () => {
    const body = `setp.gt.u32 %p1, %thread, 20; @%p1 bra END; setp.lt.u32 %p2, %thread, 5;
mov.u32 %r1, 7; @!%p2 mov.u32 %r1, 8; ${store("%r1")} END:`;
    expect(words({ body })).toEqual(threads(32, (t) => (t > 20 ? 0 : t < 5 ? 7 : 8)));
  });
});

describe("meetings", () => {
  const variables = ".shared .align 4 .b8 tile[1024];";
  const turned = (
    sync: string,
  ) => `mov.u32 %r1, tile; mad.lo.u32 %r2, %thread, 4, %r1; st.shared.u32 [%r2], %thread;
${sync} sub.u32 %r3, 127, %thread; mad.lo.u32 %r4, %r3, 4, %r1; ld.shared.u32 %r5, [%r4]; ${store("%r5")}`;

  test("a barrier of all warps", () =>
    expect(words({ variables, body: turned("bar.sync 0;"), threads: 128 })).toEqual(
      threads(128, (t) => 127 - t),
    ));

  test("a barrier of two warps, twice, beside one of the other two", () => {
    const body = `shr.u32 %r10, %thread, 6; add.u32 %r11, %r10, 1; bar.sync %r11, 64; bar.sync %r11, 64; bar.sync 0; ${store("%r11")}`;
    expect(words({ body, threads: 128 })).toEqual(threads(128, (t) => 1 + (t >> 6)));
  });

  test.each([
    ["up", 3, 0, (t: number) => (t >= 3 ? t - 3 : t)],
    ["down", 5, 31, (t: number) => (t + 5 < 32 ? t + 5 : t)],
    ["bfly", 16, 31, (t: number) => t ^ 16],
    ["idx", 9, 31, () => 9],
    // Segments of eight: the mask of 24 stands above the clamp.
    ["idx", 2, 0x181f, (t: number) => (t & 24) + 2],
    ["down", 3, 0x181f, (t: number) => ((t & 7) + 3 < 8 ? t + 3 : t)],
  ] as const)("shfl.sync.%s by %i within %i", (mode, by, within, from) => {
    const body = `shfl.sync.${mode}.b32 %r1, %thread, ${by}, ${within}, -1; ${store("%r1")}`;
    expect(words({ body })).toEqual(threads(32, from));
  });

  test("a missing barrier is a complaint in every order", () =>
    expect(complaintOf({ variables, body: turned(""), threads: 128 })).toMatch(
      /where nothing was written|barrier/,
    ));
});

test("vectors, halves and words", () => {
  const body = `ld.global.v4.u32 {%r1, %r2, %r3, %r4}, [%buffer]; mov.b32 {%h1, %h2}, %r2; mov.b32 %r5, {%h2, %h1};
mov.b64 %rd5, {%r3, %r4}; mov.b64 {%r6, %r7}, %rd5; add.u32 %r8, %r5, %r6; cvt.u16.u32 %h3, %r4;
st.global.v2.u32 [%buffer+16], {%r5, %r7}; st.global.v4.u16 [%buffer+24], {%h1, %h2, %h3, %h1};`;
  const buffer = Buffer.alloc(64);
  [1, 0x00020003, 4, 0x50006].forEach((v, k) => {
    buffer.writeUInt32LE(v, 4 * k);
  });
  const { complaint, output } = runKernel({ body, threads: 1 }, buffer);
  expect(complaint).toBe("");
  expect([16, 20].map((at) => output.readUInt32LE(at))).toEqual([0x00030002, 0x50006]);
  expect([24, 26, 28, 30].map((at) => output.readUInt16LE(at))).toEqual([3, 2, 6, 3]);
});

test("numbers with a sign are extended, others are not", () => {
  const body = `st.global.u8 [%buffer], 0x85; ld.global.s8 %r1, [%buffer]; ld.global.u8 %r2, [%buffer]; ld.global.s8 %h1, [%buffer];
cvt.s32.s16 %r3, %h1; mov.b32 %r4, {%h1, %h1}; st.global.v4.u32 [%buffer+16], {%r1, %r2, %r3, %r4};`;
  const { output } = runKernel({ body, threads: 1 }, Buffer.alloc(64));
  expect([0, 1, 2, 3].map((k) => output.readInt32LE(16 + 4 * k))).toEqual([-123, 133, -123, 0xff85ff85 | 0]);
});

const tile = { variables: ".shared .align 16 .b8 tile[64];" };
test.each<[string, Kernel, RegExp]>([
  [
    "a vector at an odd address",
    { body: "ld.global.v4.u32 {%r1, %r2, %r3, %r4}, [%buffer+8];" },
    /16 bytes of global memory are read at 0x\w+8, which is not a multiple of 16/,
  ],
  [
    "behind an allocation",
    { body: "st.global.u32 [%buffer+4096], %r1;" },
    /4096 bytes into an allocation of 4096|in no allocation/,
  ],
  [
    "before an allocation",
    { body: "ld.global.u8 %r1, [%buffer+-1];" },
    /in no allocation|into an allocation/,
  ],
  [
    "shared memory outside the block's",
    { ...tile, body: "mov.u32 %r1, tile; st.shared.u32 [%r1+64], %r2;" },
    /up to 0x440/,
  ],
  [
    "shared memory that nobody wrote",
    { ...tile, body: "ld.shared.u32 %r1, [tile+4];" },
    /where nothing was written/,
  ],
  [
    "an odd address of shared memory",
    { ...tile, body: "st.shared.v2.u32 [tile+4], {%r1, %r2};" },
    /not a multiple of 8/,
  ],
  [
    "a barrier that some lanes do not reach",
    { body: "setp.lt.u32 %p1, %thread, 9; @%p1 bra OVER; bar.sync 0; OVER:" },
    /lanes 0x1ff of the warp do not execute/,
  ],
  [
    "a barrier that a warp never reaches",
    { threads: 64, body: "setp.lt.u32 %p1, %thread, 32; @%p1 bra OVER; bar.sync 0; OVER:" },
    /wait for what never happens; warp 1 at line \d+ `bar.sync 0`/,
  ],
  [
    "a barrier of other numbers",
    { threads: 64, body: "and.b32 %r1, %thread, 32; add.u32 %r1, %r1, 32; bar.sync 1, %r1;" },
    /a barrier of (32|64) threads|never happens/,
  ],
  [
    "a shuffle without some of its lanes",
    { body: "setp.lt.u32 %p1, %thread, 9; @%p1 bra OVER; shfl.sync.idx.b32 %r1, %r1, 0, 31, -1; OVER:" },
    /lanes 0x1ff of the warp do not execute it/,
  ],
  [
    "bra.uni that is not",
    { body: "setp.lt.u32 %p1, %thread, 9; @%p1 bra.uni OVER; add.u32 %r1, %r1, 1; OVER:" },
    /lanes part at bra.uni/,
  ],
  ["division by zero", { body: "mov.u32 %r1, 0; div.u32 %r2, %r1, %r1;" }, /divided by zero/],
  [
    "an unknown spelling",
    { body: "popc.b32 %r1, %r2;" },
    /line \d+ has an instruction that is not known: popc.b32 %r1, %r2/,
  ],
  ["a known opcode with an unknown word", { body: "add.sat.s32 %r1, %r2, %r3;" }, /not known: add.sat.s32/],
  ["a register of another width", { body: "add.s64 %rd1, %rd2, %r3;" }, /not known: add.s64/],
  ["a name that is not declared", { body: "add.s32 %q1, %r2, %r3;" }, /unknown name '%q1'/],
  ["a label that is not there", { body: "bra NOWHERE;" }, /unknown label 'NOWHERE'/],
  ["too many threads", { body: "", threads: 1025 }, /a block of 1025 x 1 x 1 threads, allowed are 1024/],
  [
    "too much shared memory",
    { body: "", shared: 233473 },
    /233473 bytes of shared memory, allowed are 232448/,
  ],
])("complains about %s", (_, kernel, sentence) => expect(complaintOf(kernel)).toMatch(sentence));

test("says where it was", () =>
  expect(complaintOf({ body: "ld.global.u32 %r1, [%buffer+2];", blocks: 2 })).toMatch(
    /\[k, block 0, warp 0, line \d+ `ld.global.u32 %r1, \[%buffer\+2\]`\]$/,
  ));
