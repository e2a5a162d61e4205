/** Thread of the loader: makes one sample at a time and writes it into the batch's shared memory. */
import { parentPort, workerData } from "node:worker_threads";
import { setThreads } from "../tensor";
import { batchParts, putSample, type SampleJob, type SampleMaker, sampleMaker } from "./sample-makers";
import type { SampleFailure } from "./samples";

/** Main thread → worker. */
export interface SampleRequest {
  ticket: number;
  step: number;
  index: number;
  /** Shared memory of the batch, and how many samples it is for. */
  memory: SharedArrayBuffer;
  samples: number;
}

/** Worker → main thread. */
export type SampleReply =
  | { ticket: number; case: string }
  | { ticket: number; case: string; failure: { message: string; code?: string; stack?: string } };

async function serve(request: SampleRequest, maker: SampleMaker, job: SampleJob): Promise<SampleReply> {
  const { ticket, step, index, memory, samples } = request;
  try {
    const sample = await maker.make(step, index);
    putSample(sample, batchParts(job, memory, samples), index);
    return { ticket, case: sample.case };
  } catch (error) {
    const { caseId, cause, message } = error as SampleFailure;
    const { code, stack } = (cause ?? error) as NodeJS.ErrnoException;
    return { ticket, case: caseId ?? "unknown", failure: { message, code, stack } };
  }
}

if (parentPort && workerData?.voxelsparkWorker === "loader") {
  const port = parentPort;
  const job = workerData.data as SampleJob;
  const maker = sampleMaker(job);
  setThreads(1); // the loader's parallelism is its number of workers
  let before: Promise<unknown> = Promise.resolve();
  port.on("message", (message: SampleRequest | "close") => {
    before = before.then(async () => {
      if (message === "close") port.close();
      else port.postMessage(await serve(message, maker, job));
    });
  });
}
