/**
 * Memory of a device is out of the host's reach, the emulator's is memory like any other: here it is closed but for kernels
 * and copies, and every op and a training step must not notice.
 */
import { spawnSync } from "node:child_process";
import { readdirSync } from "node:fs";
import { join, resolve } from "node:path";

const { build, replaced } = require("./build.cjs") as {
  build(name: string, edits: Record<string, (text: string) => string>): Promise<string>;
  replaced(found: string, planted: string): (text: string) => string;
};
const ops = readdirSync(join(__dirname, "../ops/records")).map((file) => file.replace(/\.ts$/, ""));

function closed(script: string, args: readonly string[], more: Record<string, string> = {}) {
  const { status, signal, stderr } = spawnSync(
    process.execPath,
    ["-r", require.resolve("tsx/cjs"), join(__dirname, script), ...args],
    {
      cwd: resolve(__dirname, "../.."),
      encoding: "utf8",
      // Small allocations: all of them are opened and closed with every launch.
      env: { ...process.env, VOXELSPARK_EMULATOR_CLOSED: "1", VOXELSPARK_CUDA_SEGMENT: "1", ...more },
    },
  );
  return { status, signal, stderr };
}

test("every op", () => expect(closed("all-ops.ts", ops)).toEqual({ status: 0, signal: null, stderr: "" }));

test("captured steps", () =>
  expect(closed("captured-steps.ts", [])).toEqual({ status: 0, signal: null, stderr: "" }));

test("found: a look at what a tensor holds before it is filled", async () => {
  const library = await build("host-access", {
    "native/device/cuda_transfer.cu": replaced(
      "const auto* bytes = static_cast<const unsigned char*>(element);",
      "const auto* bytes = static_cast<const unsigned char*>(element);\n  if (!std::memcmp(device, element, element_bytes)) return;",
    ),
  });
  expect(closed("captured-steps.ts", [], { VOXELSPARK_CUDA_LIBRARY: library })).toMatchObject({
    signal: "SIGSEGV",
  });
});
