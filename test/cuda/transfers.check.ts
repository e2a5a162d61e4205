/**
 * Copies between the host and the emulated device, whose streams run as late as their waits allow: values arrive, and each
 * wait that the copies need is missed when it is not there.
 */
import { spawnSync } from "node:child_process";
import { join, resolve } from "node:path";

const { build, replaced } = require("./build.cjs") as {
  build: (name: string, edits?: Record<string, Edit>) => Promise<string>;
  replaced: (found: string, planted: string) => Edit;
};

const FILE = "native/device/cuda_transfer.cu";
type Edit = (text: string) => string;
/** Pieces so small that a tensor has many. */
const small: Edit = (text) =>
  replaced(
    "kPiece = int64_t{8} << 20",
    "kPiece = 1 << 15",
  )(replaced("kLandingUnit = int64_t{4} << 20", "kLandingUnit = 1 << 12")(text));
const without =
  (...lines: string[]): Edit =>
  (text) =>
    lines.reduce((t, line) => replaced(line, "")(t), small(text));

function differences(library: string): Record<string, number> {
  const { stdout, stderr } = spawnSync(
    process.execPath,
    ["-r", require.resolve("tsx/cjs"), join(__dirname, "many-copies.ts")],
    {
      cwd: resolve(__dirname, "../.."),
      encoding: "utf8",
      env: { ...process.env, VOXELSPARK_CUDA_LIBRARY: library },
    },
  );
  expect(stderr).toBe("");
  return JSON.parse(stdout);
}

const none = { none: 0, threads: 0, created: 0, both: 0 };

test("values arrive, whatever streams are late", async () => {
  expect(differences(await build("transfers", { [FILE]: small }))).toEqual(none);
});

test.each([
  ["the refilling of a pinned piece", ["    piece.done.wait();\n"]],
  ["the arrival of a copy beside kernels", ["  landing.arrived.hold(cudaStreamPerThread);\n"]],
  ["the landing that is still to be taken", ["  landing.taken.hold(mine.copies);\n"]],
  ["a piece on its way to the host", ["      before->done.wait();\n"]],
  ["a few values on their way to the host", ["  read->piece->done.wait();\n"]],
])("a missing wait is found: %s", async (_, lines) => {
  const library = await build("transfers-planted", { [FILE]: without(...lines) });
  expect(Object.values(differences(library)).some((count) => count > 0)).toBe(true);
});
