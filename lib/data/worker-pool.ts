/** Threads that take one task at a time. A failed task rejects its own promise; a thread that dies rejects all. */
import { parentPort, type Worker, workerData } from "node:worker_threads";
import * as errors from "../errors";
import { startWorker } from "./start-worker";

interface Failure {
  name: string;
  code?: errors.ErrorCode;
  message: string;
}

type Reply<Result> = { result: Result } | { failure: Failure };

interface Waiting<Result> {
  label: string;
  resolve: (result: Result) => void;
  reject: (error: unknown) => void;
}

/** The error that a thread sent, as an instance of its class again. */
function revive({ name, code, message }: Failure): Error {
  const known = (errors as unknown as Record<string, unknown>)[name];
  const isClass = typeof known === "function" && known.prototype instanceof errors.VoxelsparkError;
  if (!isClass || !code) return Object.assign(new Error(message), { name, code });
  return new (known as new (code: errors.ErrorCode, message: string) => Error)(code, message);
}

export class WorkerPool<Task, Result> {
  private readonly threads: { worker: Worker; exited: Promise<void>; waiting?: Waiting<Result> }[];
  private closing = false;

  /** @param kind name of the worker file, `<kind>-worker` */
  constructor(kind: string, data: object, size: number) {
    if (!Number.isInteger(size) || size < 1 || size > 256) {
      throw new errors.ArgumentRangeError(`workers must be a whole number from 0 to 256, found ${size}.`);
    }
    this.threads = Array.from({ length: size }, (_, i) => {
      const worker = startWorker(kind, data);
      worker.on("message", (reply: Reply<Result>) => this.receive(i, reply));
      worker.on("error", (error) => this.died(i, error.message, error));
      const exited = new Promise<void>((resolve) => {
        worker.on("exit", (code) => {
          resolve();
          if (!this.closing) this.died(i, `it ended with code ${code}`);
        });
      });
      return { worker, exited };
    });
  }

  /** Hands a task to a free thread; at most as many tasks as threads at a time. `label` names it in errors. */
  run(task: Task, label: string): Promise<Result> {
    const free = this.threads.find((thread) => !thread.waiting);
    if (!free)
      throw new errors.ArgumentRangeError(`All ${this.threads.length} threads of the pool are busy.`);
    return new Promise((resolve, reject) => {
      free.waiting = { label, resolve, reject };
      free.worker.postMessage(task);
    });
  }

  async close(): Promise<void> {
    this.closing = true;
    for (const { worker } of this.threads) worker.postMessage("close");
    const timer = setTimeout(() => this.threads.map(({ worker }) => worker.terminate()), 5000);
    await Promise.all(this.threads.map(({ exited }) => exited));
    clearTimeout(timer);
  }

  private receive(i: number, reply: Reply<Result>): void {
    const { waiting } = this.threads[i]!;
    this.threads[i]!.waiting = undefined;
    if ("result" in reply) waiting?.resolve(reply.result);
    else waiting?.reject(revive(reply.failure));
  }

  private died(i: number, reason: string, cause?: unknown): void {
    const { waiting } = this.threads[i]!;
    waiting?.reject(
      new errors.WorkerError(
        "ERR_VOXELSPARK_WORKER",
        `Worker ${i} died (${reason}) while it made ${waiting.label}.`,
        { cause },
      ),
    );
  }
}

/** The worker's side: `prepare` gets the pool's data and returns what does one task. */
export function serveTasks<Data, Task>(
  kind: string,
  prepare: (data: Data) => (task: Task) => Promise<unknown>,
): void {
  if (!parentPort || workerData?.voxelsparkWorker !== kind) return;
  const port = parentPort;
  const work = prepare(workerData.data as Data);
  let before: Promise<unknown> = Promise.resolve();
  port.on("message", (task: Task | "close") => {
    before = before.then(async () => {
      if (task === "close") port.close();
      else port.postMessage(await attempt(() => work(task)));
    });
  });
}

async function attempt(work: () => Promise<unknown>): Promise<Reply<unknown>> {
  try {
    return { result: await work() };
  } catch (error) {
    const { name, code, message } = error as errors.VoxelsparkError;
    return { failure: { name, code, message } };
  }
}
