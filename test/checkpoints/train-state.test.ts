import { spawn } from "node:child_process";
import {
  cpSync,
  promises as fs,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import os from "node:os";
import path from "node:path";
import {
  checkpointSteps,
  cleanRun,
  openCheckpoint,
  openLatestCheckpoint,
  requireTensors,
  saveCheckpoint,
} from "../../lib/checkpoints/train-state";
import { sha256 } from "../../lib/files";
import { rng } from "../../lib/random";
import { requireLib } from "../compile-lib";

let run: string;
beforeEach(() => {
  run = mkdtempSync(path.join(os.tmpdir(), "run-"));
});
afterEach(() => {
  jest.restoreAllMocks();
  rmSync(run, { recursive: true, force: true });
});

const PLAN = { version: 1, name: "t", mask: { ratio: [0.6, 0.9] } };
const values = (step: number, name: string, n: number) =>
  rng(step, 0, "test", name.length).fillNormal(new Float32Array(n));
const tensors = (step: number) => ({
  weights: [
    { name: "encoder.weight", shape: [4, 3], data: async () => values(step, "encoder.weight", 12) },
    { name: "encoder.bias", shape: [4], data: () => values(step, "encoder.bias", 4) },
  ],
  optimizer: [{ name: "encoder.weight.momentum", shape: [12], data: () => values(step, "m", 12) }],
});
const save = (step: number, keep?: number) =>
  saveCheckpoint(run, { step, seed: 42, plan: PLAN, extra: { cases: 3 } }, tensors(step), { keep });
const names = () => readdirSync(run).sort();

async function latestStep(options = {}): Promise<number> {
  const opened = await openLatestCheckpoint(run, options);
  expect(await opened.weights.readFloat32("encoder.weight")).toEqual(
    values(opened.state.step, "encoder.weight", 12),
  );
  expect(await opened.optimizer.readFloat32("encoder.weight.momentum")).toEqual(
    values(opened.state.step, "m", 12),
  );
  await opened.close();
  return opened.state.step;
}

test("what was saved is what is opened, bit for bit", async () => {
  expect(await save(17)).toBe(path.join(run, "step-00000017"));
  expect(readdirSync(path.join(run, "step-00000017")).sort()).toEqual([
    "optimizer.safetensors",
    "state.json",
    "weights.safetensors",
  ]);
  const opened = await openLatestCheckpoint(run);
  expect(opened.state).toEqual({ step: 17, seed: 42, plan: PLAN, extra: { cases: 3 } });
  expect(opened.skipped).toEqual([]);
  expect(opened.weights.entry("encoder.weight").shape).toEqual([4, 3]);
  expect(opened.weights.metadata).toEqual({ format: "pt", step: "17" });
  await opened.close();
  expect(await latestStep()).toBe(17);
});

test("the same state gives the same bytes", async () => {
  await save(3);
  const read = () =>
    readdirSync(path.join(run, "step-00000003")).map((f) => readFileSync(path.join(run, "step-00000003", f)));
  const first = read();
  await save(3);
  expect(read()).toEqual(first);
  expect(names()).toEqual(["step-00000003"]);
});

test("keeps the newest n, sorts by step, leaves other files alone", async () => {
  writeFileSync(path.join(run, "progress.png"), "x");
  for (const step of [5, 100000000, 10, 20]) await save(step);
  expect(await checkpointSteps(run)).toEqual([5, 10, 20, 100000000]);
  await save(30, 2);
  expect(await checkpointSteps(run)).toEqual([20, 30, 100000000]);
  await save(40, 1);
  expect(await checkpointSteps(run)).toEqual([40, 100000000]);
  await cleanRun(run, 40);
  expect(names()).toEqual(["progress.png", "step-00000040"]);
});

test("a step that is no whole number from 0 makes no folder", async () => {
  for (const step of [-3, 1.5, Number.NaN])
    await expect(
      saveCheckpoint(run, { step, seed: 1, plan: {} }, { weights: [], optimizer: [] }),
    ).rejects.toThrow(/step is .*, allowed are whole numbers from 0/);
});

test("nothing to resume is an error, never a silent new run", async () => {
  await expect(openLatestCheckpoint(run)).rejects.toMatchObject({
    code: "ERR_VOXELSPARK_CHECKPOINT",
    message:
      `${run} holds no checkpoint (a folder step-00000000 or later), so there is nothing to resume.`.replace(
        " holds",
        ": holds",
      ),
  });
  await expect(openLatestCheckpoint(path.join(run, "none"))).rejects.toMatchObject({
    code: "ERR_VOXELSPARK_CHECKPOINT",
  });
});

test("half-written leftovers are ignored and cleaned", async () => {
  await save(1);
  mkdirSync(path.join(run, ".tmp-999-0123456789ab"));
  writeFileSync(path.join(run, ".tmp-999-0123456789ab", "weights.safetensors"), "half");
  expect(await latestStep()).toBe(1);
  await cleanRun(run);
  expect(names()).toEqual(["step-00000001"]);
});

describe("damage", () => {
  const file = (name: string, step = 2) => path.join(run, `step-0000000${step}`, name);
  const DAMAGE: [string, () => void][] = [
    [
      "weights cut",
      () =>
        writeFileSync(file("weights.safetensors"), readFileSync(file("weights.safetensors")).subarray(0, -1)),
    ],
    ["weights missing", () => rmSync(file("weights.safetensors"))],
    ["optimizer empty", () => writeFileSync(file("optimizer.safetensors"), "")],
    ["state missing", () => rmSync(file("state.json"))],
    ["state cut", () => writeFileSync(file("state.json"), readFileSync(file("state.json")).subarray(0, 100))],
    ["state empty", () => writeFileSync(file("state.json"), "")],
    ["state of another step", () => cpSync(file("state.json", 1), file("state.json"))],
    ["weights of another step", () => cpSync(file("weights.safetensors", 1), file("weights.safetensors"))],
    [
      "whole folder of another step",
      () => cpSync(path.join(run, "step-00000001"), path.join(run, "step-00000002"), { recursive: true }),
    ],
    [
      "a file instead of the folder",
      () => {
        rmSync(path.join(run, "step-00000002"), { recursive: true });
        writeFileSync(path.join(run, "step-00000002"), "");
      },
    ],
    [
      "edited step",
      () =>
        writeFileSync(
          file("state.json"),
          readFileSync(file("state.json"), "utf8").replace('"step": 2', '"step": 3'),
        ),
    ],
    [
      "edited plan",
      () => writeFileSync(file("state.json"), readFileSync(file("state.json"), "utf8").replace("0.6", "0.7")),
    ],
    [
      "files swapped",
      () => {
        const weights = readFileSync(file("weights.safetensors"));
        cpSync(file("optimizer.safetensors"), file("weights.safetensors"));
        writeFileSync(file("optimizer.safetensors"), weights);
      },
    ],
  ];

  test.each(DAMAGE)(
    "%s: an error that lists the good one; going back only when allowed",
    async (_, damage) => {
      await save(1);
      await save(2);
      damage();
      const error = await openLatestCheckpoint(run).catch((e) => e);
      expect(error.code).toBe("ERR_VOXELSPARK_CHECKSUM");
      expect(error.message).toContain("step-00000002");
      expect(error.message).toContain(
        "Undamaged: step-00000001; allow going back to resume from the newest.",
      );
      expect(await latestStep({ allowPrevious: true })).toBe(1);
      await cleanRun(run, 1);
      await save(2); // the run goes on
      expect(await latestStep()).toBe(2);
    },
  );

  test("all damaged: every reason is told", async () => {
    await save(1);
    await save(2);
    for (const step of [1, 2]) rmSync(file("state.json", step));
    await expect(openLatestCheckpoint(run)).rejects.toThrow("No other one is undamaged.");
    const error = await openLatestCheckpoint(run, { allowPrevious: true }).catch((e) => e);
    expect(error.message).toMatch(/no undamaged checkpoint:\n.*step-00000002.*is missing.*\n.*step-00000001/);
  });

  test("300 random flips of one bit: found, or without effect on what is loaded", async () => {
    await save(2);
    const random = rng(1, 0, "test");
    const intact = await openLatestCheckpoint(run);
    const good = JSON.stringify(intact.state);
    await intact.close();
    for (const name of ["weights.safetensors", "optimizer.safetensors", "state.json"]) {
      const original = readFileSync(file(name));
      for (let i = 0; i < 100; i++) {
        const flipped = Buffer.from(original);
        const at = random.int(original.length);
        flipped[at] = flipped[at]! ^ (1 << random.int(8));
        writeFileSync(file(name), flipped);
        const opened = await openLatestCheckpoint(run).catch((error) => {
          expect(error.code).toBe("ERR_VOXELSPARK_CHECKSUM");
          return undefined;
        });
        if (opened === undefined) continue;
        expect(name).toBe("state.json"); // a blank turned into another blank
        expect(JSON.stringify(opened.state)).toBe(good);
        await opened.close();
      }
      writeFileSync(file(name), original);
    }
  });

  test.each([
    ["another program's", { model: "x" }, "is not of a voxelspark checkpoint: its format is not given."],
    ["another format", { format: "torch" }, 'its format is "torch".'],
  ])("%s state.json is foreign", async (_, content, expected) => {
    await save(1);
    await save(2);
    writeFileSync(file("state.json"), JSON.stringify(content));
    for (const allowPrevious of [false, true]) {
      await expect(openLatestCheckpoint(run, { allowPrevious })).rejects.toMatchObject({
        code: "ERR_VOXELSPARK_CHECKPOINT",
        message: expect.stringContaining(expected),
      });
    }
  });

  test("a newer format version is told, not taken for damage", async () => {
    await save(2);
    const { sha256: _, ...body } = JSON.parse(readFileSync(file("state.json"), "utf8"));
    body.formatVersion = 2;
    writeFileSync(file("state.json"), JSON.stringify({ sha256: sha256(JSON.stringify(body)), ...body }));
    await expect(openLatestCheckpoint(run, { allowPrevious: true })).rejects.toThrow(
      "has format version 2, this release reads 1",
    );
  });
});

test("a full disk at any system call leaves the previous checkpoint untouched and nothing half-written", async () => {
  await save(1);
  const before = readFileSync(path.join(run, "step-00000001", "weights.safetensors"));
  const { open, rename, mkdir } = fs;
  let failures = 0;
  for (let k = 1; k < 100; k++) {
    let count = 0;
    const step = () => {
      if (++count === k) throw Object.assign(new Error("ENOSPC: injected"), { code: "ENOSPC" });
    };
    const hook = <A extends unknown[], R>(f: (...args: A) => Promise<R>) =>
      (async (...args: A) => {
        step();
        return f(...args);
      }) as never;
    jest.spyOn(fs, "rename").mockImplementation(hook(rename));
    jest.spyOn(fs, "mkdir").mockImplementation(hook(mkdir as never));
    jest.spyOn(fs, "open").mockImplementation(async (...args) => {
      step();
      const handle = await open(...args);
      const { write, sync } = handle;
      return Object.assign(handle, {
        write: hook(write.bind(handle) as never),
        sync: hook(sync.bind(handle)),
      });
    });
    const error = await save(2).catch((e) => e);
    jest.restoreAllMocks();
    if (typeof error === "string") break;
    failures++;
    expect(error.code).toBe("ERR_VOXELSPARK_IO");
    expect(error.message).toContain(run);
    expect(names().filter((name) => name.startsWith("."))).toEqual([]);
    expect(readFileSync(path.join(run, "step-00000001", "weights.safetensors"))).toEqual(before);
    expect([1, 2]).toContain(await latestStep());
    rmSync(path.join(run, "step-00000002"), { recursive: true, force: true });
  }
  expect(failures).toBeGreaterThan(15);
  expect(await latestStep()).toBe(2);
});

test("kill -9 at random times while saving every step: the newest checkpoint always opens", async () => {
  const script = path.join(run, "trainer.js");
  writeFileSync(
    script,
    `const { saveCheckpoint } = ${requireLib("checkpoints/train-state")};
     const { rng } = ${requireLib("random")};
     const values = (step, name, n) => rng(step, 0, "test", name.length).fillNormal(new Float32Array(n));
     const tensors = (step) => ({
       weights: [{ name: "encoder.weight", shape: [4, 3], data: () => values(step, "encoder.weight", 12) },
                 { name: "big", shape: [50000], data: () => values(step, "big", 50000) }],
       optimizer: [{ name: "encoder.weight.momentum", shape: [12], data: () => values(step, "m", 12) }],
     });
     (async () => {
       for (let step = Number(process.argv[2]); ; step++) {
         await saveCheckpoint(${JSON.stringify(run)}, { step, seed: 42, plan: {} }, tensors(step), { keep: 2 });
         process.stdout.write(".");
       }
     })();`,
  );
  let step = 1;
  for (let round = 0; round < 5; round++) {
    const child = spawn(process.execPath, [script, String(step)], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    await new Promise((resolve) => child.stdout.once("data", resolve));
    await new Promise((resolve) => setTimeout(resolve, 7 * round));
    const gone = new Promise((resolve) => child.once("exit", resolve));
    child.kill("SIGKILL");
    await gone;
    const reached = await latestStep();
    expect(reached).toBeGreaterThanOrEqual(step);
    await cleanRun(run, reached);
    expect((await checkpointSteps(run)).length).toBeLessThanOrEqual(3);
    expect(names().filter((name) => name.startsWith("."))).toEqual([]);
    for (const kept of await checkpointSteps(run)) {
      await (await openCheckpoint(path.join(run, `step-${String(kept).padStart(8, "0")}`))).close();
    }
    step = reached + 1;
  }
});

test("tensors that do not fit the model are listed", async () => {
  await save(1);
  const opened = await openLatestCheckpoint(run);
  const fits = [
    { name: "encoder.weight", shape: [4, 3] },
    { name: "encoder.bias", shape: [4] },
  ];
  expect(() => requireTensors(opened.weights, fits)).not.toThrow();
  const other = [
    { name: "encoder.weight", shape: [8, 3] },
    { name: "decoder.weight", shape: [2] },
  ];
  const expected = [
    "does not fit the model:",
    "  missing decoder.weight [2]",
    "  unexpected encoder.bias [4]",
    "  encoder.weight has shape [4, 3], the model needs [8, 3]",
  ].join("\n");
  expect(() => requireTensors(opened.weights, other)).toThrow(expected);
  await opened.close();
});
