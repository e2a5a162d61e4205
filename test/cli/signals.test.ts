/** A run that is interrupted or killed in any way goes on to the same bits as one that was not. */
import { existsSync, mkdirSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { openCheckpoint } from "../../lib/checkpoints/train-state";
import { writePhantoms } from "../../lib/data/phantoms";
import { rng } from "../../lib/random";
import { temporaryFolder } from "../data/temp";
import { leftovers, outcomeOf, tinyCases } from "../fixtures";
import { cli, planFile, start } from "./cli";

jest.setTimeout(180_000);
const root = temporaryFolder();
const cases = join(root, "cases");
const STEPS = 16;
let base: string[];
let whole: ReturnType<typeof outcomeOf>;

beforeAll(async () => {
  mkdirSync(cases);
  await tinyCases(cases);
  const plan = planFile(root, { steps: STEPS, validation: { every: 8 } });
  base = ["pretrain", "--data", cases, ...plan];
  expect((await cli(...base, "--out", join(root, "whole"))).code).toBe(0);
  whole = outcomeOf(join(root, "whole"));
  expect(Object.keys(whole.files)).toHaveLength(3 * STEPS);
});

const stepsOf = (run: string) => readdirSync(run).filter((name) => name.startsWith("step-"));

async function resume(run: string, any = true): Promise<void> {
  const { code, stderr } = await cli(...base, "--out", run, ...(any ? ["--resume"] : []));
  expect(stderr).toMatch(/finished at step 16/);
  expect(code).toBe(0);
  expect(outcomeOf(run)).toEqual(whole);
  expect(leftovers(run)).toEqual([]);
}

test("SIGINT finishes the step, writes a checkpoint, exits 130", async () => {
  const run = join(root, "once");
  const running = start(...base, "--out", run, "--json");
  expect(await running.said(/pretrain: \d+\/16/)).toBe(true);
  running.child.kill("SIGINT");
  const ended = await running.finished;
  expect(ended.stderr).toMatch(/stopping after this step; once more stops at once/);
  expect(ended).toMatchObject({ code: 130, signal: null });
  const { step, reason } = JSON.parse(ended.stdout);
  expect(reason).toBe("interrupted");
  expect(step).toBeLessThan(STEPS);
  expect(stepsOf(run)).toHaveLength(step);
  expect(leftovers(run)).toEqual([]);
  await resume(run);
});

test("a reader of stderr that leaves (`2>&1 | head`) ends the run as a signal does", async () => {
  const run = join(root, "unread");
  const running = start(...base, "--out", run);
  expect(await running.said(/pretrain: \d+\/16/)).toBe(true);
  running.child.stderr!.destroy();
  expect(await running.finished).toMatchObject({ code: 141, signal: null });
  expect(leftovers(run)).toEqual([]);
  await resume(run);
});

test("a second SIGINT stops at once and damages nothing", async () => {
  const run = join(root, "twice");
  const running = start(...base, "--out", run);
  expect(await running.said(/pretrain: \d+\/16/)).toBe(true);
  running.child.kill("SIGINT");
  expect(await running.said(/once more stops at once/)).toBe(true);
  running.child.kill("SIGINT");
  const { code, signal } = await running.finished;
  expect({ code, signal }).toEqual({ code: 130, signal: null });
  for (const name of stepsOf(run)) await (await openCheckpoint(join(run, name))).close();
  await resume(run);
});

/** `npm run test:faults` kills more often. */
const kills = Number(process.env.VOXELSPARK_FAULTS ?? 3);

test(
  "SIGKILL at random moments, again and again",
  async () => {
    const seed = Date.now() % 1e6;
    const random = rng(seed, 0, "test");
    let run = join(root, "killed-0");
    for (let kill = 0; kill < kills; kill++) {
      const any = existsSync(run) && stepsOf(run).length > 0;
      const running = start(...base, "--out", run, ...(any ? ["--resume"] : []));
      await running.said(/cases train/);
      await new Promise((resolve) => setTimeout(resolve, 30 + random.int(350)));
      running.child.kill("SIGKILL");
      const { code, stderr } = await running.finished;
      expect({ seed, code, stderr }).toEqual({
        seed,
        code: code === 0 ? 0 : null,
        stderr: expect.not.stringMatching(/error/),
      });
      if (code !== 0) continue;
      expect(outcomeOf(run)).toEqual(whole); // it was faster; the next kills hit a new run
      run = join(root, `killed-${kill + 1}`);
    }
    if (existsSync(run)) await resume(run, stepsOf(run).length > 0);
  },
  60_000 + 10_000 * kills,
);

test("SIGTERM during preprocess stops after the image under way; a re-run goes on", async () => {
  const data = join(root, "many");
  for await (const _ of writePhantoms(data, 24, { shape: [16, 16, 16] }));
  const out = join(root, "many-cases");
  const args = ["preprocess", "--data", join(data, "images"), "--out", out, "--json"];
  const running = start(...args, ...planFile(root, {}, "preprocess.json"));
  await running.said(/preprocess: \d+\/24/);
  running.child.kill("SIGTERM");
  const { code, stdout } = await running.finished;
  expect(leftovers(out)).toEqual([]);
  const made = JSON.parse(stdout).done;
  expect(readdirSync(out)).toHaveLength(made);
  expect(code).toBe(made === 24 ? expect.any(Number) : 143);
  const again = await cli(...args, ...planFile(root, {}, "preprocess.json"));
  expect(JSON.parse(again.stdout)).toMatchObject({ done: 24 - made, current: made, failed: 0 });
});
