/** The page of a run: everything that is there is shown, what is absent is said. */
import { cpSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { listCases } from "../../lib/data/case-store";
import { planToJson } from "../../lib/plans/plan";
import { openCases } from "../../lib/runs/cases";
import { runPretraining } from "../../lib/runs/pretraining";
import { type ReportOptions, writeReport } from "../../lib/runs/report";
import { failure, temporaryFolder } from "../data/temp";
import { tinyCases, tinyPlan } from "../fixtures";

const root = temporaryFolder();
const run = join(root, "run");
const plan = tinyPlan({
  name: "<img src=x onerror=alert(1)>",
  preprocessing: { spacing: null, crop: "none", normalization: "none" },
});

beforeAll(async () => {
  await tinyCases(join(run, "cases"));
  const open = () => openCases(join(run, "cases"), run, plan);
  for await (const _ of runPretraining({ plan, out: run, open, device: "cpu" })) {
    // to its end
  }
});

async function report(options: Partial<ReportOptions> = {}) {
  const out = join(root, "page.html");
  const steps = writeReport({ run, out, device: "cpu", ...options });
  let count = 0;
  for (;;) {
    const next = await steps.next();
    if (next.done) return { ...next.value, page: readFileSync(next.value.file, "utf8"), count };
    count++;
  }
}

test("a pre-training run: curves, reconstructions of held-out cases, plan; nothing of it is markup or loaded", async () => {
  const { page, missing, count } = await report();
  expect(missing).toEqual([]);
  expect(count).toBeGreaterThan(0);
  expect(page.match(/<img src="data:image\/png;base64,/g)).toHaveLength(9);
  expect(page).toContain("finished, 4 steps");
  expect(page).toContain("mean prediction");
  expect(page).not.toMatch(/<img src=x|<script|https?:/);
});

test("a run that has not begun, or lost its parts, says what is absent", async () => {
  const bare = join(root, "bare");
  mkdirSync(bare);
  writeFileSync(join(bare, "plan.json"), planToJson(plan));
  const { page, missing } = await report({ run: bare });
  expect(missing).toEqual(["There is no checkpoint yet, so nothing can be reconstructed."]);
  expect(page).toContain("not one step done");
  expect(page).toContain("No values yet");
  expect((await report({ cases: 0 })).missing).toEqual(["No reconstructions were asked for."]);
});

test("without cases the page asks for --data; a damaged checkpoint is told, not thrown", async () => {
  const moved = join(root, "elsewhere", "run");
  cpSync(run, moved, { recursive: true });
  rmSync(join(moved, "cases"), { recursive: true });
  expect((await report({ run: moved })).missing[0]).toContain("--data");
  expect((await report({ run: moved, data: join(run, "cases") })).missing).toEqual([]);
  writeFileSync(join(moved, "step-00000004", "weights.safetensors"), "damaged");
  const { missing, page } = await report({ run: moved, data: join(run, "cases") });
  expect(missing[0]).toMatch(/^Nothing could be reconstructed: .*step-00000004/);
  expect(page).toContain("Nothing could be reconstructed");
});

test("a folder that holds no run is an error, and no page is written", async () => {
  const out = join(root, "none.html");
  const steps = () => writeReport({ run: join(root, "nothing"), out, device: "cpu" }).next();
  expect(await failure(steps)).toMatchObject({ code: "ERR_VOXELSPARK_DATA", message: /no plan.json/ });
  const broken = join(root, "broken");
  mkdirSync(broken);
  writeFileSync(join(broken, "plan.json"), "{");
  expect(await failure(() => writeReport({ run: broken, out, device: "cpu" }).next())).toMatchObject({
    code: "ERR_VOXELSPARK_DATA",
  });
  writeFileSync(join(broken, "plan.json"), '{"steps": 3}');
  expect(await failure(() => writeReport({ run: broken, out, device: "cpu" }).next())).toMatchObject({
    code: "ERR_VOXELSPARK_PLAN",
  });
  expect(existsSync(out)).toBe(false);
  expect(await listCases(join(run, "cases"))).toHaveLength(3);
});
