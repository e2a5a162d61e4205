/** The gate on what ptxas says of the CUDA kernels. */
const { parse, complaints, withoutTensorCores } = require("../native/cuda-report.cjs") as {
  parse(text: string): { kernels: { name?: string; symbol: string }[]; problems: string[] };
  complaints(report: ReturnType<typeof parse>): string[];
  withoutTensorCores(sass: string): string[];
};

const kernel = (target: string, { stack = 0, spills = 0 } = {}) => `
ptxas info    : Compiling entry function '_Z4axpyv' for '${target}'
ptxas info    : Function properties for _Z4axpyv
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
    [kernel("sm_80"), kernel("sm_90a"), "ptxas info : (C7510) Potential Performance Loss: wgmma.mma_async"],
    /C7510/,
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

test("a tensor-core kernel without its instruction is a complaint, where it should have it", () => {
  const code = (target: string, symbol: string, instruction: string) =>
    `Fatbin elf code:\n================\narch = ${target}\n\t\tFunction : ${symbol}\n /*0010*/  ${instruction} R0, R1 ;\n`;
  const sass = [
    code("sm_80", "_Z18tensor_gemm_kernelv", "HMMA.16816.F32.BF16"),
    code("sm_90a", "_Z18tensor_gemm_kernelv", "FFMA"),
    code("sm_80", "_Z17halo_group_kernelv", "EXIT"),
    code("sm_90a", "_Z17halo_group_kernelv", "HMMA.16816.F32.BF16"),
    code("sm_90a", "_Z17halo_group_kerneli", "HGMMA.64x32x16.F32.BF16"),
  ];
  expect(withoutTensorCores(sass.join(""))).toEqual([
    "_Z18tensor_gemm_kernelv on sm_90a has no HMMA instruction",
    "_Z17halo_group_kernelv on sm_90a has no HGMMA instruction",
  ]);
});
