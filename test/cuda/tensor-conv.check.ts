/** Convolution of 16-bit feature maps: the kernels on tensor cores and, where they do not fit, the others. */
import { spawnSync } from "node:child_process";
import { join, resolve } from "node:path";
import { freeAfterEach } from "../lifetime";
import { forget, schedules } from "./control";
import { folded } from "./folding-cases";
import { joined } from "./joined-cases";
import { type Case, cases, group, halo, wide } from "./tensor-cases";
import { check } from "./tensor-check";

freeAfterEach();
afterAll(forget);

describe.each(Object.entries({ ...cases, ...halo }))("%s", (name, c) => {
  test("bfloat16", () => check(name, c, "bfloat16", schedules.slice(1)));
  test("float16", () => check(name, c, "float16", schedules.slice(0, 1)));
});

test.each([
  "gather, blocks of edge 1",
  "gather, stride 2, odd volume, two samples in a tile",
  "gather, blocks of edge 10, too empty for halo tiles",
])("float32: %s", (name) => check(name, { ...cases, ...halo }[name] as Case, "float32", schedules.slice(2)));

test.each(Object.entries(wide))("%s", (name, c) => check(name, c, "bfloat16", schedules.slice(3)));

/** Native code reads its environment, which a process of its own can choose. */
function runInProcess(form: string, capability: number, names: readonly string[], machine = "") {
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    ["-r", require.resolve("tsx/cjs"), join(__dirname, "one-tensor.ts"), String(capability), ...names],
    {
      cwd: resolve(__dirname, "../.."),
      encoding: "utf8",
      env: { ...process.env, VOXELSPARK_CUDA_WGMMA: form, VOXELSPARK_EMULATOR_MACHINE: machine },
    },
  );
  return { status, said: stdout + stderr };
}

describe("products of warpgroups", () => {
  test.each(["shared", "registers"])("operands in %s", (form) =>
    expect(runInProcess(form, 90, Object.keys(halo))).toEqual({ status: 0, said: "" }),
  );

  test("the gather GEMM", () =>
    expect(runInProcess("shared", 90, Object.keys(group))).toEqual({ status: 0, said: "" }));

  test("adding to what y holds", () => {
    const names = Object.keys(folded).map((name) => `${name}, folded`);
    expect(runInProcess("shared", 90, names)).toEqual({ status: 0, said: "" });
  });

  test.each(["shared", "registers"])("two joined maps, operands in %s", (form) => {
    const names = Object.keys(joined).filter((name) => form === "shared" || name.startsWith("halo"));
    expect(
      runInProcess(
        form,
        90,
        names.map((name) => `${name}, joined`),
      ),
    ).toEqual({ status: 0, said: "" });
  });

  test("are refused where the build has no code for them", () =>
    expect(runInProcess("shared", 90, ["halo, 128 channels"], "other-code")).toEqual({
      status: 3,
      said: expect.stringMatching(/has no code for sm_90a: rebuild with VOXELSPARK_CUDA_ARCH=90a/),
    }));

  test.each([
    [
      "shared",
      89,
      /VOXELSPARK_CUDA_WGMMA is shared, which needs compute capability 9\.0; the device has 8\.9/,
    ],
    ["all", 90, /VOXELSPARK_CUDA_WGMMA is 'all', allowed are off, shared and registers/],
  ] as const)("%s on a device of compute capability %i is refused", (form, capability, sentence) => {
    expect(runInProcess(form, capability, ["halo, 128 channels"])).toEqual({
      status: 3,
      said: expect.stringMatching(sentence),
    });
  });
});

/** What one warp does long after the others must not depend on how long: barriers keep two phases apart, no more. */
describe("warps that come late", () => {
  test.each([
    ["off", 80, ["halo, several slices", "gather, blocks of edge 1", "gather, weights in splits"]],
    ["shared", 90, ["halo, several slices", "halo, 128 channels", "group, 64 columns, stride 2"]],
    ["registers", 90, ["halo, several slices"]],
  ] as const)("products %s", (form, capability, names) => {
    const late = names.flatMap((name) => [`starved: ${name}`, `starved: ${name}, pending`]);
    expect(runInProcess(form, capability, late)).toEqual({ status: 0, said: "" });
  });
});
