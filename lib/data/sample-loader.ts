/**
 * Batches of training samples, made ahead in worker threads. Which worker makes a sample, and how many there are,
 * never changes a bit of it. At most `prefetch` batches are in work, so a slow consumer holds the workers back.
 */

import type { Worker } from "node:worker_threads";
import { ArgumentRangeError, DataError, type ErrorCode, WorkerError } from "../errors";
import type { SampleReply, SampleRequest } from "./loader-worker";
import {
  batchBytes,
  batchParts,
  putSample,
  type SampleJob,
  type SampleMaker,
  sampleMaker,
} from "./sample-makers";
import type { SampleFailure } from "./samples";
import { startWorker } from "./start-worker";

/** How samples are made ahead; plain patches and labelled ones alike. */
export interface LoadOptions {
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

export interface LoadedBatch {
  readonly step: number;
  /** Each part of all samples, one sample after the other: images, labels. */
  readonly parts: readonly Float32Array[];
  /** Case of each sample. */
  readonly cases: readonly string[];
  /** How long `next()` had to wait for this batch. */
  readonly waitSeconds: number;
}

/** What a loader gave next, which must be the batch of a step. @throws DataError when it is another's, or none */
export function requireStep<B extends { readonly step: number }>(batch: B | undefined, step: number): B {
  if (batch?.step === step) return batch;
  throw new DataError(
    "ERR_VOXELSPARK_INTERNAL",
    `step ${step} was asked for, the loader is at ${batch?.step}`,
  );
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

/** Samples of any kind, in batches. */
export class SampleLoader implements AsyncDisposable {
  private readonly threads: Thread[] = [];
  private readonly tasks = new Map<number, Task>();
  private readonly queue: Pending[] = []; // in order of steps
  private readonly maker: SampleMaker;
  private readonly batchBytes: number;
  private failure: WorkerError | undefined;
  private closing: Promise<void> | undefined;
  private wake: (() => void) | undefined;
  private tickets = 0;
  private nextStep: number; // that next() returns
  private nextRequest: number; // that workers are asked for

  constructor(
    private readonly job: SampleJob,
    private readonly options: LoadOptions,
  ) {
    checkCount("batch", options.batch, 1);
    checkCount("workers", options.workers, 0);
    checkCount("prefetch", options.prefetch ?? 2, 1);
    this.maker = sampleMaker(job);
    this.batchBytes = batchBytes(job, options.batch);
    this.nextStep = this.nextRequest = options.firstStep ?? 0;
    for (let i = 0; i < options.workers; i++) this.threads.push(this.startThread(i));
    this.fill();
  }

  /**
   * The batch of the next step; undefined after `endStep`. Throws WorkerError naming case and step when a sample
   * could not be made or a worker died; the loader is then of no further use.
   */
  async next(): Promise<LoadedBatch | undefined> {
    const asked = performance.now();
    if (this.closing) throw new WorkerError("ERR_VOXELSPARK_WORKER", "The loader is closed.");
    if (this.failure) throw this.failure;
    if (this.nextStep >= (this.options.endStep ?? Number.POSITIVE_INFINITY)) return undefined;
    const made = this.threads.length === 0 ? await this.makeInline() : await this.takeFirst();
    this.nextStep++;
    this.fill();
    return { ...made, waitSeconds: (performance.now() - asked) / 1000 };
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

  private async makeInline(): Promise<Omit<LoadedBatch, "waitSeconds">> {
    const step = this.nextStep;
    const parts = batchParts(this.job, new ArrayBuffer(this.batchBytes), this.options.batch);
    const cases: string[] = [];
    for (let index = 0; index < this.options.batch; index++) {
      try {
        const sample = await this.maker.make(step, index);
        putSample(sample, parts, index);
        cases.push(sample.case);
      } catch (error) {
        const { caseId = "unknown", cause = error, message } = error as SampleFailure;
        throw this.fail(`Sample ${index} of step ${step}, case ${caseId}: ${message}`, cause);
      }
    }
    return { step, parts, cases };
  }

  private async takeFirst(): Promise<Omit<LoadedBatch, "waitSeconds">> {
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
    return { step, parts: batchParts(this.job, memory, this.options.batch), cases };
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
      const memory = new SharedArrayBuffer(this.batchBytes);
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
    const { memory, step } = batch;
    const request: SampleRequest = { ticket, step, index, memory, samples: this.options.batch };
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
    const worker = startWorker("loader", this.job);
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
    return `sample ${index} of step ${batch.step}, case ${this.maker.caseOf(batch.step, index)}`;
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
