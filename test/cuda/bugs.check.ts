/** The check of the check: backends with one planted bug each must be found out. */
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { opBugs } from "./op-bugs";
import { buildPlanted, root, withBug } from "./planted";

let library = "";
beforeAll(async () => {
  library = await buildPlanted("op-bugs", opBugs);
});

function run(bug: number, op: string, dtype?: string) {
  const { status, signal, stdout } = spawnSync(
    process.execPath,
    ["-r", require.resolve("tsx/cjs"), join(__dirname, "one-op.ts"), op, ...(dtype ? [dtype] : [])],
    { cwd: root, encoding: "utf8", env: withBug(library, bug) },
  );
  return { status, signal, stdout };
}

test.each(opBugs.map((b, i) => [b.name, b, i] as const))("found: %s", (_, { op, dtype, says }, i) =>
  expect(run(i, op, dtype)).toEqual({
    status: 3,
    signal: null,
    stdout: expect.stringMatching(says ?? /relative error|other bits/),
  }),
);

test("not found where none is chosen", () =>
  expect(run(-1, "conv3d")).toEqual({ status: 0, signal: null, stdout: "" }));
