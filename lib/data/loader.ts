/**
 * Batches of training patches, made ahead in worker threads. Which worker makes a sample, and how many there are,
 * never changes a bit of it. At most `prefetch` batches are in work, so a slow consumer holds the workers back.
 */

import type { Worker } from "node:worker_threads";
import { ArgumentRangeError, type ErrorCode, WorkerError } from "../errors";
import type { SampleReply, SampleRequest } from "./loader-worker";
import { CaseSet } from "./patches";
import { type SampleFailure, type SampleOptions, trainingSample } from "./samples";
import { startWorker } from "./start-worker";

export interface LoaderOptions extends SampleOptions {
  /** Samples of a batch. */
  readonly batch: number;
  /** Worker threads; 0 makes batches in the calling thread, on demand. */
  readonly workers: number;
  /** Batches made ahead. Default 2. */
  readonly prefetch?: number;
  /** Step of the first batch (resume). Default 0. */
  readonly firstStep?: number;
  /** One past the last step; default without end. */
  readonly endStep?: number;
  /** A sample that takes longer is an error that names its case. Default 600 s. */
  readonly stallSeconds?: number;
}

export interface Batch {
  readonly step: number;
  readonly data: Float32Array; // (N, C, D, H, W)
  readonly shape: readonly [number, number, number, number, number];
  /** Case of each sample. */
  readonly cases: readonly string[];
  /** How long `next()` had to wait for this batch. */
  readonly waitSeconds: number;
}

interface Pending {
  step: number;
  memory: SharedArrayBuffer;
  cases: string[];
  missing: number;
}

interface Task {
  batch: Pending;
  index: number;
  worker: number;
}

interface Thread {
  worker: Worker;
  tasks: Set<number>;
  exited: Promise<void>;
}

const CLOSE_SECONDS = 5;

export class PatchLoader implements AsyncDisposable {
  private readonly threads: Thread[] = [];
  private readonly tasks = new Map<number, Task>();
  private readonly queue: Pending[] = []; // in order of steps
  private readonly inline: CaseSet;
  private failure: WorkerError | undefined;
  private closing: Promise<void> | undefined;
  private wake: (() => void) | undefined;
  private tickets = 0;
  private nextStep: number; // that next() returns
  private nextRequest: number; // that workers are asked for

  constructor(private readonly options: LoaderOptions) {
    checkCount("batch", options.batch, 1);
    checkCount("workers", options.workers, 0);
    checkCount("prefetch", options.prefetch ?? 2, 1);
    this.inline = new CaseSet(options.folder, options.cases);
    this.nextStep = this.nextRequest = options.firstStep ?? 0;
    for (let i = 0; i < options.workers; i++) this.threads.push(this.startThread(i));
    this.fill();
  }

  /**
   * The batch of the next step; undefined after `endStep`. Throws WorkerError naming case and step when a sample
   * could not be made or a worker died; the loader is then of no further use.
   */
  async next(): Promise<Batch | undefined> {
    const asked = performance.now();
    if (this.closing) throw new WorkerError("ERR_VOXELSPARK_WORKER", "The loader is closed.");
    if (this.failure) throw this.failure;
    if (this.nextStep >= (this.options.endStep ?? Number.POSITIVE_INFINITY)) return undefined;
    const made = this.threads.length === 0 ? await this.makeInline() : await this.takeFirst();
    this.nextStep++;
    this.fill();
    return { ...made, shape: this.shape(), waitSeconds: (performance.now() - asked) / 1000 };
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Batch> {
    for (let batch = await this.next(); batch; batch = await this.next()) yield batch;
  }

  /** Ends the workers; samples in work are finished first. Safe to call more than once. */
  close(): Promise<void> {
    this.closing ??= Promise.all(this.threads.map(endThread)).then(() => {});
    this.failure ??= new WorkerError(
      "ERR_VOXELSPARK_WORKER",
      "The loader was closed while a batch was awaited.",
    );
    this.wake?.();
    return this.closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  private shape(): Batch["shape"] {
    return [this.options.batch, this.options.channels ?? 1, ...this.options.patch];
  }

  private get sampleSize(): number {
    return this.shape()
      .slice(1)
      .reduce((a, b) => a * b, 1);
  }

  private async makeInline(): Promise<Pick<Batch, "step" | "data" | "cases">> {
    const step = this.nextStep;
    const data = new Float32Array(this.options.batch * this.sampleSize);
    const cases: string[] = [];
    for (let index = 0; index < this.options.batch; index++) {
      try {
        const sample = await trainingSample(this.inline, this.options, step, index);
        data.set(sample.data, index * this.sampleSize);
        cases.push(sample.case);
      } catch (error) {
        const { caseId = "unknown", cause = error, message } = error as SampleFailure;
        throw this.fail(`Sample ${index} of step ${step}, case ${caseId}: ${message}`, cause);
      }
    }
    return { step, data, cases };
  }

  private async takeFirst(): Promise<Pick<Batch, "step" | "data" | "cases">> {
    for (const { worker } of this.threads) worker.ref(); // a batch is awaited: the process must stay
    const limit = this.options.stallSeconds ?? 600;
    const stalled = setTimeout(() => this.reportStall(limit), limit * 1000);
    try {
      while (!this.failure && this.queue[0]!.missing > 0) {
        await new Promise<void>((resolve) => {
          this.wake = resolve;
        });
      }
    } finally {
      clearTimeout(stalled);
      for (const { worker } of this.threads) worker.unref();
    }
    if (this.failure) throw this.failure;
    const { step, memory, cases } = this.queue.shift()!;
    return { step, data: new Float32Array(memory), cases };
  }

  /** Asks for samples until `prefetch` batches are in work or done; each goes to the least busy worker. */
  private fill(): void {
    const { prefetch = 2, batch, endStep = Number.POSITIVE_INFINITY } = this.options;
    while (
      this.threads.length > 0 &&
      !this.failure &&
      this.queue.length < prefetch &&
      this.nextRequest < endStep
    ) {
      const memory = new SharedArrayBuffer(batch * this.sampleSize * 4);
      const pending: Pending = { step: this.nextRequest++, memory, cases: [], missing: batch };
      this.queue.push(pending);
      for (let index = 0; index < batch; index++) this.request(pending, index);
    }
  }

  private request(batch: Pending, index: number): void {
    const worker = this.threads.reduce(
      (best, t, i) => (t.tasks.size < this.threads[best]!.tasks.size ? i : best),
      0,
    );
    const ticket = this.tickets++;
    this.tasks.set(ticket, { batch, index, worker });
    this.threads[worker]!.tasks.add(ticket);
    const offset = index * this.sampleSize;
    const request: SampleRequest = { ticket, step: batch.step, index, batch: batch.memory, offset };
    this.threads[worker]!.worker.postMessage(request);
  }

  private receive(reply: SampleReply): void {
    const task = this.tasks.get(reply.ticket);
    if (!task) return;
    this.tasks.delete(reply.ticket);
    this.threads[task.worker]!.tasks.delete(reply.ticket);
    if ("failure" in reply) {
      const { message, code } = reply.failure;
      const cause = Object.assign(new Error(message), {
        code: code as ErrorCode | undefined,
        stack: reply.failure.stack,
      });
      this.fail(`Sample ${task.index} of step ${task.batch.step}, case ${reply.case}: ${message}`, cause);
    } else {
      task.batch.cases[task.index] = reply.case;
      task.batch.missing--;
    }
    this.wake?.();
  }

  private startThread(number: number): Thread {
    const worker = startWorker("loader", this.sampleOptions());
    worker.unref();
    worker.on("message", (reply: SampleReply) => this.receive(reply));
    worker.on("error", (error) => this.workerDied(number, error.message, error));
    const exited = new Promise<void>((resolve) => {
      worker.on("exit", (code) => {
        resolve();
        if (!this.closing) this.workerDied(number, `it ended with code ${code}`);
      });
    });
    return { worker, tasks: new Set(), exited };
  }

  /** Only what workers need; also keeps functions of a caller's object out of the message. */
  private sampleOptions(): SampleOptions {
    const { folder, cases, patch, seed, channels, augmentation, padding } = this.options;
    return { folder, cases, patch, seed, channels, augmentation, padding };
  }

  private workerDied(number: number, reason: string, cause?: unknown): void {
    this.fail(`Loader worker ${number} died (${reason}) while it made ${this.workOf(number)}.`, cause);
    this.wake?.();
  }

  private reportStall(seconds: number): void {
    const work = this.threads.map((_, i) => this.workOf(i)).join("; ");
    this.fail(`No batch arrived within ${seconds} s. In work: ${work}.`);
    this.wake?.();
  }

  private workOf(number: number): string {
    const [ticket] = this.threads[number]?.tasks ?? [];
    if (ticket === undefined) return "nothing";
    const { batch, index } = this.tasks.get(ticket)!;
    const id = this.inline.draw(this.options.seed, batch.step, "case", index);
    return `sample ${index} of step ${batch.step}, case ${id}`;
  }

  /** The first failure counts; later ones follow from it. */
  private fail(message: string, cause?: unknown): WorkerError {
    this.failure ??= new WorkerError("ERR_VOXELSPARK_WORKER", message, { cause });
    return this.failure;
  }
}

async function endThread({ worker, exited }: Thread): Promise<void> {
  worker.ref();
  worker.postMessage("close");
  const timer = setTimeout(() => void worker.terminate(), CLOSE_SECONDS * 1000);
  await exited;
  clearTimeout(timer);
}

function checkCount(name: string, value: number, least: number): void {
  if (!Number.isInteger(value) || value < least) {
    throw new ArgumentRangeError(
      `Loader option ${name} must be a whole number from ${least} on, found ${value}.`,
    );
  }
}
