/** Machines without a usable device and devices that fail: typed errors with reason and cure, and the CPU goes on. */
import { spawnSync } from "node:child_process";
import { join, resolve } from "node:path";

const { build, replaced } = require("./build.cjs") as {
  build(name: string, edits: Record<string, (text: string) => string>): Promise<string>;
  replaced(found: string, planted: string): (text: string) => string;
};

function attempt(what: string, env: Record<string, string> = {}) {
  const { stdout, stderr } = spawnSync(
    process.execPath,
    ["-r", require.resolve("tsx/cjs"), join(__dirname, "attempt.ts"), what],
    { cwd: resolve(__dirname, "../.."), encoding: "utf8", env: { ...process.env, ...env } },
  );
  expect(stderr).toBe("");
  const { result, cpu } = JSON.parse(stdout);
  expect(cpu).toEqual([-1, 4]);
  return result;
}

test.each([
  [
    "no driver",
    { VOXELSPARK_EMULATOR_MACHINE: "no-driver" },
    /there is no NVIDIA driver, .+: install or update the driver/,
  ],
  [
    "too old a driver",
    { VOXELSPARK_EMULATOR_MACHINE: "old-driver" },
    /supports CUDA 11\.4, this build needs CUDA 13\.0: install or update/,
  ],
  [
    "a driver that does not answer",
    { VOXELSPARK_EMULATOR_MACHINE: "broken-driver" },
    /does not answer .+: restart it or the machine/,
  ],
  ["no GPU", { VOXELSPARK_EMULATOR_MACHINE: "none" }, /the machine has no NVIDIA GPU/],
  [
    "an unsupported GPU",
    { VOXELSPARK_EMULATOR_MACHINE: "old-device" },
    /compute capability 7\.5, allowed are 8\.0 and newer: choose another/,
  ],
  ["no GPU that is visible", { CUDA_VISIBLE_DEVICES: "" }, /no GPU is visible with CUDA_VISIBLE_DEVICES=''/],
])("%s", (_, env, reason) => {
  const refused = {
    name: "DeviceError",
    code: "ERR_VOXELSPARK_DEVICE",
    message: expect.stringMatching(
      new RegExp(`^device 'cuda' cannot be used: .*${reason.source}.*; device 'cpu' works$`),
    ),
  };
  expect(attempt("use", env)).toEqual({ tensor: refused, choice: refused, auto: "cpu" });
});

test("a GPU that this build has no code for", async () => {
  const FILE = "native/device/cuda_device.cu";
  const VOXELSPARK_CUDA_LIBRARY = await build("hopper", {
    [FILE]: replaced("{__CUDA_ARCH_LIST__}", "{900}"),
  });
  const message = expect.stringMatching(
    /emulated device has compute capability 8\.6, for which this build has no code: run `npm rebuild voxelspark`/,
  );
  const env = { VOXELSPARK_CUDA_LIBRARY, VOXELSPARK_EMULATOR_CAPABILITY: "86" };
  expect(attempt("use", env)).toMatchObject({ tensor: { name: "DeviceError", message }, auto: "cpu" });
  const hopper = { ...env, VOXELSPARK_EMULATOR_CAPABILITY: "90" };
  expect(attempt("use", hopper)).toMatchObject({ tensor: "nothing", auto: "cuda" });
});

test("no memory for the tables of a mask: a typed error, and the device goes on", () => {
  expect(attempt("tables")).toEqual({
    before: [-2, 0],
    at: {
      name: "OutOfMemoryError",
      code: "ERR_VOXELSPARK_OUT_OF_MEMORY",
      message: expect.stringMatching(
        /^out of memory in making room for the tables of a mask: cudaErrorMemoryAllocation.+smaller patch or batch/,
      ),
    },
    after: [-2, 0],
  });
});

test("more than the device's memory: sizes and cure, and the device goes on", () => {
  expect(attempt("memory")).toEqual({
    big: {
      name: "OutOfMemoryError",
      code: "ERR_VOXELSPARK_OUT_OF_MEMORY",
      message: expect.stringMatching(/8388608 bytes requested, 0 live.+use a smaller patch or batch/),
    },
    small: [-2, 4],
  });
});

test.each(["failure", "graph"])("a kernel that fails (%s): the error names the reason, and stays", (what) => {
  const failed = {
    name: "DeviceError",
    code: "ERR_VOXELSPARK_DEVICE",
    message: expect.stringMatching(
      /^CUDA failed in .+: cudaErrorLaunchFailure, a failure that the test asked for.*; this process cannot use the GPU any more: start it again/s,
    ),
  };
  expect(attempt(what)).toEqual({ before: [-1, 4], at: failed, after: failed });
});
