/** The check of the check on tensor cores: kernels with one planted bug each must be found out. */
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { fusedBugs } from "./fused-bugs";
import { buildPlanted, root, withBug } from "./planted";
import { type TensorBug, tensorBugs } from "./tensor-bugs";

const bugs = [...tensorBugs, ...fusedBugs];
let library = "";
beforeAll(async () => {
  library = await buildPlanted("tensor-bugs", bugs);
});

function run(bug: number, form: TensorBug["form"], ...names: readonly string[]) {
  const env = { ...withBug(library, bug), ...(form && { VOXELSPARK_CUDA_WGMMA: form }) };
  const script = join(__dirname, "one-tensor.ts");
  const { status, signal, stdout } = spawnSync(
    process.execPath,
    ["-r", require.resolve("tsx/cjs"), script, form ? "90" : "80", ...names],
    { cwd: root, encoding: "utf8", env },
  );
  return { status, signal, stdout };
}

test.each(bugs.map((b, i) => [b.name, b, i] as const))("found: %s", (_, bug, i) =>
  expect(run(i, bug.form, bug.notices)).toEqual({
    status: 3,
    signal: null,
    stdout: expect.stringMatching(bug.says ?? /relative error|other bits/),
  }),
);

test.each([
  [undefined, "gather, weights in splits", "few channels, pending", "gathered rows, kernel 1, folded"],
  ["shared", "halo, 128 channels"],
] as const)("not found where none is chosen: %s", (form, ...names: readonly string[]) =>
  expect(run(-1, form, ...names)).toEqual({ status: 0, signal: null, stdout: "" }),
);
