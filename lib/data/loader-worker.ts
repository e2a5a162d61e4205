/** Thread of the loader: makes one sample at a time and writes it into the batch's shared memory. */
import { parentPort, workerData } from "node:worker_threads";
import { setThreads } from "../tensor";
import { CaseSet } from "./patches";
import { type SampleFailure, type SampleOptions, trainingSample } from "./samples";

/** Main thread → worker. */
export interface SampleRequest {
  ticket: number;
  step: number;
  index: number;
  /** Shared memory of the batch and where in it, in voxels, the sample begins. */
  batch: SharedArrayBuffer;
  offset: number;
}

/** Worker → main thread. */
export type SampleReply =
  | { ticket: number; case: string }
  | { ticket: number; case: string; failure: { message: string; code?: string; stack?: string } };

export async function serve(
  request: SampleRequest,
  set: CaseSet,
  options: SampleOptions,
): Promise<SampleReply> {
  const { ticket, step, index, batch, offset } = request;
  try {
    const sample = await trainingSample(set, options, step, index);
    new Float32Array(batch).set(sample.data, offset);
    return { ticket, case: sample.case };
  } catch (error) {
    const { caseId, cause, message } = error as SampleFailure;
    const { code, stack } = (cause ?? error) as NodeJS.ErrnoException;
    return { ticket, case: caseId ?? "unknown", failure: { message, code, stack } };
  }
}

if (parentPort && workerData?.voxelsparkWorker === "loader") {
  const port = parentPort;
  const options = workerData.data as SampleOptions;
  const set = new CaseSet(options.folder, options.cases);
  setThreads(1); // the loader's parallelism is its number of workers
  let before: Promise<unknown> = Promise.resolve();
  port.on("message", (message: SampleRequest | "close") => {
    before = before.then(async () => {
      if (message === "close") port.close();
      else port.postMessage(await serve(message, set, options));
    });
  });
}
