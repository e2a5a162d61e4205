import { spawn } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { lockFolder } from "../lib/lock";
import { requireLib } from "./compile-lib";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(path.join(os.tmpdir(), "lock-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const host = os.hostname().replace(/[^A-Za-z0-9._-]/g, "_");

test("one holder at a time; release frees; the message names pid and host", async () => {
  const run = path.join(folder, "new", "run");
  const lock = await lockFolder(run);
  await expect(lockFolder(run)).rejects.toMatchObject({
    code: "ERR_VOXELSPARK_LOCKED",
    message: expect.stringContaining(`in use by process ${process.pid} on ${host}; wait for it to end.`),
  });
  expect(readdirSync(run)).toHaveLength(1);
  await lock.release();
  await lock.release();
  expect(readdirSync(run)).toEqual([]);
  {
    await using again = await lockFolder(run);
    expect(again.folder).toBe(run);
  }
  expect(readdirSync(run)).toEqual([]);
});

test("locks of dead processes, and of a reused pid, are recovered; a foreign machine's is not", async () => {
  const child = spawn(process.execPath, ["-e", ""]);
  await new Promise((resolve) => child.once("exit", resolve));
  writeFileSync(path.join(folder, `.lock-${host}-${child.pid}-0-0123456789ab`), "");
  writeFileSync(path.join(folder, `.lock-${host}-${process.pid}-1-0123456789ab`), ""); // started at tick 1: not us
  writeFileSync(path.join(folder, "notes.lock"), "");
  const lock = await lockFolder(folder);
  expect(readdirSync(folder)).toHaveLength(2);
  await lock.release();
  const foreign = path.join(folder, ".lock-elsewhere-1-1-0123456789ab");
  writeFileSync(foreign, "");
  await expect(lockFolder(folder)).rejects.toThrow(
    `process 1 on elsewhere; if that process has ended, delete ${foreign}`,
  );
});

test("4 processes, many rounds: never two inside, and killed holders do not block the others", async () => {
  const counter = path.join(folder, "counter");
  writeFileSync(counter, "0");
  const script = path.join(folder, "worker.js");
  writeFileSync(
    script,
    `const { lockFolder } = ${requireLib("lock")};
     const { readFileSync, writeFileSync, openSync, closeSync, unlinkSync } = require("node:fs");
     const [run, counter, inside] = [${JSON.stringify(path.join(folder, "run"))}, ${JSON.stringify(counter)}, ${JSON.stringify(path.join(folder, "inside"))}];
     (async () => {
       for (let done = 0; done < 12; ) {
         const lock = await lockFolder(run).catch((e) => { if (e.code !== "ERR_VOXELSPARK_LOCKED") throw e; });
         if (lock === undefined) continue;
         closeSync(openSync(inside, "wx")); // throws if another process is inside
         const value = Number(readFileSync(counter, "utf8"));
         await new Promise((r) => setTimeout(r, Math.random() * 3));
         writeFileSync(counter, String(value + 1));
         unlinkSync(inside);
         done++;
         if (done === 12) process.kill(process.pid, "SIGKILL"); // dies as the holder
         await lock.release();
         await new Promise((r) => setTimeout(r, Math.random() * 10));
       }
     })();`,
  );
  const errors: string[] = [];
  const exits = Array.from({ length: 4 }, () => {
    const child = spawn(process.execPath, [script], {
      stdio: ["ignore", "inherit", "pipe"],
    });
    child.stderr.on("data", (text) => errors.push(String(text)));
    return new Promise((resolve) => child.once("exit", (_, signal) => resolve(signal)));
  });
  expect(await Promise.all(exits)).toEqual(Array(4).fill("SIGKILL"));
  expect(errors).toEqual([]);
  expect(readFileSync(counter, "utf8")).toBe("48");
  await (await lockFolder(path.join(folder, "run"))).release();
  expect(readdirSync(path.join(folder, "run"))).toEqual([]);
}, 60000);
