/** The gate on what ptxas says of the CUDA kernels. */
const { parse, complaints } = require("../native/cuda-report.cjs") as {
  parse(text: string): { kernels: { name?: string; symbol: string }[]; problems: string[] };
  complaints(report: ReturnType<typeof parse>): string[];
};

interface Kernel {
  symbol: string;
  target: string;
}
type Counted = Kernel & { counts: Record<string, number> };
const { faults, parsePtx, parseSass } = require("../native/sass.cjs") as {
  faults(compiled: readonly Kernel[], found: readonly Counted[], language: "sass" | "ptx"): string[];
  parsePtx(ptx: string): Counted[];
  parseSass(sass: string): Counted[];
};

const kernel = (target: string, { stack = 0, spills = 0, symbol = "_Z4axpyv" } = {}) => `
ptxas info    : Compiling entry function '${symbol}' for '${target}'
ptxas info    : Function properties for ${symbol}
    ${stack} bytes stack frame, ${spills} bytes spill stores, ${spills} bytes spill loads
ptxas info    : Used 40 registers, used 1 barriers, 2048 bytes smem, 400 bytes cmem[0]
ptxas info    : Compile time = 1.5 ms`;
const judged = (...texts: string[]) => complaints(parse(texts.join("\n")));

test("figures of every kernel and target are read", () => {
  const found = parse(kernel("sm_80") + kernel("sm_90a")).kernels;
  const figures = { symbol: "_Z4axpyv", registers: 40, shared: 2048, spills: 0, stack: 0 };
  expect(found).toEqual([
    { ...figures, target: "sm_80" },
    { ...figures, target: "sm_90a" },
  ]);
  expect(judged(kernel("sm_80"), kernel("sm_90a"))).toEqual([]);
});

test.each([
  ["spills", [kernel("sm_80", { spills: 8 }), kernel("sm_90a")], /16 bytes of spills, 0 bytes of stack/],
  [
    "local memory",
    [kernel("sm_80", { stack: 64 }), kernel("sm_90a")],
    /0 bytes of spills, 64 bytes of stack/,
  ],
  ["a missing target", [kernel("sm_80")], /no kernel was compiled for sm_90a/],
  [
    "wgmma in sequence",
    [
      kernel("sm_80"),
      kernel("sm_90a"),
      "ptxas info : (C7515) Potential Performance Loss: wgmma.mma_async instructions are serialized due to",
    ],
    /C7515/,
  ],
  [
    "too few registers to hand over",
    [kernel("sm_80"), kernel("sm_90a", { symbol: "_Z17group_gemm_kernelv" })],
    /launched with 40 registers a thread, to share out are 168/,
  ],
  ["a warning", [kernel("sm_80"), kernel("sm_90a"), "x.cu(3): warning #177-D: unused"], /warning #177-D/],
  [
    "a log that is cut off",
    [kernel("sm_80"), kernel("sm_90a").split("\n").slice(0, 3).join("\n")],
    /the log is cut off/,
  ],
])("%s is a complaint", (_, texts, sentence) => {
  expect(judged(...texts)).toEqual([expect.stringMatching(sentence)]);
});

/** As cuobjdump prints it: the text of PTX that comes along has no functions. */
const sass = (target: string, symbol: string, ...instructions: string[]) => `
Fatbin ptx code:
================
arch = sm_80

Fatbin elf code:
================
arch = ${target}
code version = [1,8]

\tcode for ${target}
\t\tFunction : ${symbol}
\t.headerflags\t@"EF_CUDA_TEXMODE_UNIFIED"
${instructions.map((i) => `        /*0930*/              @P0 ${i} R44, R8.reuse, R36, R44 ;      /* 0x00000024082c723c */`).join("\n")}
\t\t..........
`;
const gemm = "_Z18tensor_gemm_kernelv";
const group = "_Z17group_gemm_kernelv";
const halo = "_Z17halo_group_kernelv";
const groupCode = ["HGMMA.64x256x16.F32.BF16", "USETMAXREG.DEALLOC.CTAPOOL", "UBLKCP", "LDGSTS.E.BYPASS.128"];
const everything = [
  sass("sm_80", gemm, "HMMA.16816.F32", "LDGSTS.E"),
  sass("sm_80", group, "EXIT"),
  sass("sm_90a", gemm, "HMMA.16816.F32.BF16", "LDGSTS.E"),
  sass("sm_90a", group, ...groupCode),
  sass("sm_90a", "_Z4axpyv", "FFMA"),
];
const compiled = parseSass(everything.join(""));
const inSass = (texts: readonly string[]) => faults(compiled, parseSass(texts.join("")), "sass");

test("instructions of every kernel and target are counted", () => {
  expect(compiled).toHaveLength(5);
  expect(compiled[3]).toEqual({
    symbol: group,
    target: "sm_90a",
    counts: { HGMMA: 1, USETMAXREG: 1, UBLKCP: 1, LDGSTS: 1 },
  });
  expect(inSass(everything)).toEqual([]);
});

test.each([
  [
    "no tensor core",
    2,
    sass("sm_90a", gemm, "FFMA", "LDGSTS.E"),
    `${gemm} on sm_90a has no HMMA instruction`,
  ],
  [
    "products of warps in place of a warpgroup's",
    3,
    sass("sm_90a", group, "HMMA.16816.F32", ...groupCode.slice(1)),
    `${group} on sm_90a has no HGMMA instruction`,
  ],
  [
    "registers that are not handed over",
    3,
    sass("sm_90a", group, "HGMMA.64x64x16.F32", "UBLKCP", "LDGSTS.E"),
    `${group} on sm_90a has no USETMAXREG instruction`,
  ],
  [
    "a spill",
    3,
    sass("sm_90a", group, ...groupCode, "STL.64", "LDL"),
    `${group} on sm_90a has 1 LDL instructions: local memory`,
  ],
  ["a kernel that is left out", 0, "", `${gemm} on sm_80 is not in the SASS`],
  ["another name", 3, sass("sm_90a", halo, ...groupCode), `${group} on sm_90a is not in the SASS`],
])("found: %s", (_, at, planted, sentence) => {
  expect(inSass(everything.map((text, i) => (i === at ? planted : text)))).toContain(sentence);
});

test("PTX tells of the same, whatever a file's own namespace is called", () => {
  const ptx = (space: string, ...instructions: string[]) => `
.version 9.0
.target sm_90a
.visible .entry _Z4axpyv(
)
{ ret; }
.entry _ZN10voxelspark${space.length + 12}_GLOBAL__N__${space}17group_gemm_kernelIE(
)
{
${instructions.map((i) => `\t${i} %r1;`).join("\n")}
}`;
  const all = [
    "wgmma.mma_async.sync.aligned",
    "setmaxnreg.dec",
    "cp.async.bulk.shared",
    "cp.async.cg.shared",
  ];
  const one = parsePtx(ptx("b3a78afc_18_x_cu", ...all));
  expect(one.map(({ target }) => target)).toEqual(["sm_90a", "sm_90a"]);
  expect(faults(one, parsePtx(ptx("0a1b_18_x_cu", ...all)), "ptx")).toEqual([]);
  expect(faults(one, parsePtx(ptx("0a1b_18_x_cu", ...all.slice(1))), "ptx")).toEqual([
    "_ZN10voxelspark17group_gemm_kernelIE on sm_90a has no wgmma.mma_async instruction",
  ]);
  expect(faults(one, [], "ptx")).toEqual([
    "_ZN10voxelspark17group_gemm_kernelIE on sm_90a is not in the PTX",
  ]);
});
