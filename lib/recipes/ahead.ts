import type { DeviceName } from "../tensor";

/** What a step needs, and how long it waited for it. */
export interface Arrived<T> {
  inputs: T;
  waitSeconds: number;
}

/**
 * Fetches and uploads the inputs of a step while the one before computes, where that is another device's work. What was
 * fetched for a step that is not done is freed.
 */
export class Ahead<T> implements Disposable {
  private begun: { step: number; arrival: Promise<Arrived<T>> } | undefined;
  private closed = false;

  constructor(
    private readonly fetch: (step: number) => Promise<{ upload: () => T; waitSeconds: number }>,
    private readonly free: (inputs: T) => void,
    private readonly device: DeviceName,
  ) {}

  private async get(step: number): Promise<Arrived<T>> {
    const { upload, waitSeconds } = await this.fetch(step);
    if (this.closed) throw new Error("the run has ended");
    return { inputs: upload(), waitSeconds };
  }

  begin(step: number): void {
    if (this.device !== "cuda") return;
    const arrival = this.get(step);
    arrival.catch(() => {}); // whoever takes it sees the failure
    this.begun = { step, arrival };
  }

  async take(step: number): Promise<Arrived<T>> {
    const { begun } = this;
    this.begun = undefined;
    if (begun?.step !== step) return this.get(step);
    const start = performance.now();
    const { inputs } = await begun.arrival;
    return { inputs, waitSeconds: (performance.now() - start) / 1000 };
  }

  dispose(): void {
    this.closed = true;
    this.begun?.arrival.then(({ inputs }) => this.free(inputs)).catch(() => {});
    this.begun = undefined;
  }
  [Symbol.dispose](): void {
    this.dispose();
  }
}
