/** The host/device functions from which kernels take their indices and random numbers, on the host, by brute force. */
import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";

const root = resolve(__dirname, "../..");
const folder = mkdtempSync(join(tmpdir(), "voxelspark-indices-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test("indices are those of the definitions", () => {
  const program = join(folder, "indices");
  const include = ["native", "test/cuda/emulator"].flatMap((d) => ["-I", join(root, d)]);
  const flags = ["-std=c++17", "-O1", "-Wno-unknown-pragmas", "-mfma"];
  execFileSync("g++", [...flags, ...include, join(__dirname, "index_arithmetic.cc"), "-o", program]);
  const { status, stdout } = spawnSync(program, { encoding: "utf8" });
  expect({ status, stdout }).toEqual({ status: 0, stdout: "" });
});
