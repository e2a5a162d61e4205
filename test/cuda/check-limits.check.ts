/** The GPU check with stages that hang, are killed or end well: results.json is whole and says what became of each. */
import { spawnSync } from "node:child_process";
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";

const folder = mkdtempSync(join(tmpdir(), "voxelspark-check-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** In the place of Node: stages that behave as their names here say, and the true report. */
const stand = `#!/usr/bin/env bash
[ "$1" = --version ] && exec echo v20
name=\${!#}
part() { echo "$1" >"$CHECK_WORK/$name.json"; }
case $name in
  smoke) part '{"facts":{"gpu":"one"},"running":"a kernel that waits"}'; exec sleep 1000 ;;
  correct) part '{"checks":[{"what":"an op","ok":true,"sa'; kill -9 $$ ;;
  repeat) part '{"checks":[{"what":"a step","ok":true,"says":"right"}]}' ;;
  report) exec "${process.execPath}" "$@" ;;
esac
`;

test("a stage that hangs, one that is killed while it writes, one that is well", () => {
  const node = join(folder, "node");
  writeFileSync(node, stand);
  chmodSync(node, 0o755);
  const env = { ...process.env, NODE_BIN: node, OUT: folder, PYTHON: "true", CHECK_SECONDS: "54" };
  const args = [resolve(__dirname, "../../bench/gpu/check.sh"), "--only", "smoke,correct,repeat"];
  const { status, stdout } = spawnSync("bash", args, { encoding: "utf8", env });
  expect(status).toBe(1);
  expect(stdout).toMatch(/NOT everything is well\n$/);
  const { ok, stages } = JSON.parse(readFileSync(join(folder, "results.json"), "utf8"));
  expect(ok).toBe(false);
  expect(stages).toMatchObject([
    {
      name: "smoke",
      outcome: "cut off",
      reason: expect.stringMatching(/^longer than \d s, at: a kernel that waits$/),
    },
    { name: "correct", outcome: "failed", reason: "killed" },
    { name: "repeat", outcome: "ok", checks: [{ what: "a step" }] },
  ]);
});
