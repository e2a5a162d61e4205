/** Starts a worker thread of this folder: compiled JavaScript when installed, TypeScript through tsx in a checkout. */
import { join } from "node:path";
import { Worker } from "node:worker_threads";

/** Loads a TypeScript file in a thread that has no loader for it; `entry` comes through workerData. */
const TYPESCRIPT_START = `
  const { createRequire } = require("node:module");
  const { workerData } = require("node:worker_threads");
  const load = createRequire(workerData.entry);
  load("tsx/cjs/api").register();
  load(workerData.entry);
`;

/** Runs `<kind>-worker` with `data`, which it finds in `workerData.data`; `workerData.voxelsparkWorker` is the kind. */
export function startWorker(kind: string, data: object): Worker {
  const typescript = __filename.endsWith(".ts");
  const entry = join(__dirname, `${kind}-worker.${typescript ? "ts" : "js"}`);
  const workerData = { voxelsparkWorker: kind, entry, data };
  // execArgv: [] keeps hooks of the main thread, such as tsx's or a test runner's, out of the worker.
  return typescript
    ? new Worker(TYPESCRIPT_START, { eval: true, workerData, execArgv: [] })
    : new Worker(entry, { workerData, execArgv: [] });
}
