/** The pure functions that choose and plan kernels of convolution, on the host. */
import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { joined } from "./joined-cases";
import { type Case, cases, cube, group, halo, wide } from "./tensor-cases";

const root = resolve(__dirname, "../..");
const folder = mkdtempSync(join(tmpdir(), "voxelspark-engines-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const program = join(folder, "engines");
beforeAll(() => {
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
});

test("engines and plans are those of the definitions", () => {
  const { status, stdout } = spawnSync(program, { encoding: "utf8" });
  expect({ status, stdout }).toEqual({ status: 0, stdout: "" });
});

type Named = readonly (readonly [string, Case & { split?: number }])[];

/** Of each case the kernels of the convolution, of its input's and of its weight's gradient. */
function kernelsOf(named: Named): string[] {
  const numbers = named.flatMap(([, { channels, size, kernel, stride = cube(1), cells = 0, split = 0 }]) =>
    [...channels, ...size, ...kernel, ...stride, cells, split].map(String),
  );
  const lines = execFileSync(program, numbers, { encoding: "utf8" }).trim().split("\n");
  return lines.map((line) => line.trim());
}

/** Cases are named by the kernels that they are for. */
test("cases reach the kernels of their names", () => {
  const all = Object.entries<Case & { split?: number }>({ ...cases, ...group, ...halo, ...wide, ...joined });
  const named = all.filter(([name]) => /^(gather|group|halo),? /.test(name)).filter(([, c]) => !c.transposed);
  const kernels = kernelsOf(named);
  const found = named.map(([name], i) => [name, kernels[i]!.split(" ")[0]]);
  expect(found).toEqual(named.map(([name]) => [name, name.startsWith("halo") ? "halo" : "gather"]));
  const kernelsNamed = (start: string) =>
    new Set(kernelsOf(Object.entries(cases).filter(([name]) => name.startsWith(start))));
  expect(kernelsNamed("a head")).toEqual(new Set(["gather point point"]));
  expect(kernelsNamed("stem")).toEqual(new Set(["stem gather stem"]));
  const gradients = kernels.filter((_, i) => named[i]![0].startsWith("halo"));
  expect(new Set(gradients)).toEqual(new Set(["halo halo halo"]));
});
