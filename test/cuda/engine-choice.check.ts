/** The pure functions that choose and plan kernels of convolution, on the host. */
import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";

const root = resolve(__dirname, "../..");
const folder = mkdtempSync(join(tmpdir(), "voxelspark-engines-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test("engines and plans are those of the definitions", () => {
  const program = join(folder, "engines");
  const include = ["native", "test/cuda/emulator"].flatMap((d) => ["-I", join(root, d)]);
  const sources = [join(__dirname, "engine_choice.cc"), join(root, "native/core/block_grid.cc")];
  execFileSync("g++", [
    "-std=c++17",
    "-O1",
    "-Wno-unknown-pragmas",
    "-mfma",
    ...include,
    ...sources,
    "-o",
    program,
  ]);
  const { status, stdout } = spawnSync(program, { encoding: "utf8" });
  expect({ status, stdout }).toEqual({ status: 0, stdout: "" });
});
