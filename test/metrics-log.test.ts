import { spawn } from "node:child_process";
import { appendFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { MetricsLog, readMetrics } from "../lib/metrics-log";
import { requireLib } from "./compile-lib";

let folder: string;
let file: string;
beforeEach(() => {
  folder = mkdtempSync(path.join(os.tmpdir(), "metrics-"));
  file = path.join(folder, "metrics.jsonl");
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

async function write(steps: number[], resumeStep?: number): Promise<void> {
  await using log = await MetricsLog.open(file, resumeStep);
  for (const step of steps) await log.append({ step, loss: 1 / step });
  await log.sync();
}
const steps = async () => (await readMetrics(file)).map((m) => m.step);

test("appends lines that read back; numbers that JSON lacks become null", async () => {
  await using log = await MetricsLog.open(file);
  await log.append({ step: 1, loss: 0.1 + 0.2, device: "cpu" });
  await log.append({ step: 2, loss: Number.NaN, lr: Number.POSITIVE_INFINITY });
  expect(await readMetrics(file)).toEqual([
    { step: 1, loss: 0.1 + 0.2, device: "cpu" },
    { step: 2, loss: null, lr: null },
  ]);
});

test("a new run empties an old log; a resumed one drops what it will compute again", async () => {
  await write([1, 2, 3]);
  await write([1, 2, 3, 3, 4, 5]);
  expect(await steps()).toEqual([1, 2, 3, 3, 4, 5]);
  await write([4], 3);
  expect(await steps()).toEqual([1, 2, 3, 3, 4]);
  await write([1], 0);
  expect(await steps()).toEqual([1]);
});

test("a torn last line is dropped at every cut, and never glued to the next", async () => {
  await write([1, 2]);
  const whole = readFileSync(file);
  const first = whole.indexOf(10) + 1;
  for (let cut = 0; cut < whole.length; cut++) {
    writeFileSync(file, whole.subarray(0, cut));
    expect(await steps()).toEqual(cut < first ? [] : [1]);
    await write([9], 5);
    expect(await steps()).toEqual(cut < first ? [9] : [1, 9]);
  }
});

test.each(["not json", "{}", '{"step": "1"}', "[]", "null", '{"step": 1.5}'])(
  "a complete line %s is an error",
  async (line) => {
    await write([1]);
    appendFileSync(file, `${line}\n`);
    await expect(readMetrics(file)).rejects.toThrow(
      `${file}, line 2: a JSON object with a whole "step" is needed, found`,
    );
  },
);

test("a missing log starts empty on resume", async () => {
  await write([8], 7);
  expect(await steps()).toEqual([8]);
});

test("a killed writer loses no complete line", async () => {
  const script = path.join(folder, "writer.js");
  writeFileSync(
    script,
    `const { MetricsLog } = ${requireLib("metrics-log")};
     (async () => {
       const log = await MetricsLog.open(${JSON.stringify(file)});
       for (let step = 1; ; step++) {
         await log.append({ step, loss: Math.random(), text: "x".repeat(200) });
         if (step === 50) process.stdout.write("50");
       }
     })();`,
  );
  const child = spawn(process.execPath, [script], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  await new Promise((resolve) => child.stdout.once("data", resolve));
  const gone = new Promise((resolve) => child.once("exit", resolve));
  child.kill("SIGKILL");
  await gone;
  const found = await steps();
  expect(found.length).toBeGreaterThanOrEqual(50);
  expect(found).toEqual(found.map((_, i) => i + 1));
});
