/**
 * How every benchmark measures: contestants are warmed up, then run in turns, round after round, so that a slow phase
 * of the machine hits all of them; the median counts and the quartiles are shown. Times are wall clock from the first
 * launch to an idle queue.
 */
import { cpus } from "node:os";
import { full, leakyRelu, scope, setThreads, sync } from "../lib";
import { native } from "../lib/binding";
import type { BenchOptions } from "./options";

/**
 * PyTorch as it comes (A), with malloc told to keep big buffers (B), and for single layers also in that memory layout,
 * of two, in which this layer is faster (C).
 */
export type PeerName = "A" | "B" | "C";

export interface Contestant {
  name: string;
  peer?: PeerName;
  /** Queues one repetition; outputs are freed. May instead resolve with seconds that a peer measured. */
  run: () => unknown | Promise<number>;
  /** Bytes that must cross the memory bus at least: every operand once. */
  bytes?: number;
  flops?: number;
}

export interface Result {
  group: string;
  name: string;
  milliseconds: number;
  /** The fastest round: the least disturbed one on a shared machine. */
  best: number;
  quartiles: [number, number];
  gigabytesPerSecond: number | undefined;
  gigaflops: number | undefined;
  /** Time divided by that of the group's first contestant. */
  ratio: number;
}

/** Seconds of work that needs one warm-up, not a second one to be timed. */
const LONG = 5;

const quantile = (sorted: readonly number[], q: number) =>
  sorted[Math.floor((sorted.length - 1) * q)] as number;

/** Seconds of one repetition. */
async function timed(run: Contestant["run"], repetitions: number): Promise<number> {
  await sync();
  const start = process.hrtime.bigint();
  for (let i = 0; i < repetitions; i++) {
    let result: unknown;
    scope(() => {
      const returned = run();
      if (typeof (returned as PromiseLike<number> | undefined)?.then === "function") result = returned;
    });
    if (result) return (await result) as number;
  }
  await sync();
  return Number(process.hrtime.bigint() - start) / 1e9 / repetitions;
}

/** Our time beside the peers', in milliseconds; ratios are theirs divided by ours. */
export interface Comparison {
  group: string;
  ours: number;
  peerA?: number;
  peerB?: number;
  peerC?: number;
  ratioA?: number;
  ratioB?: number;
  ratioC?: number;
}

export function comparison(
  group: string,
  ours: number,
  { A, B, C }: Partial<Record<PeerName, number | undefined>>,
): Comparison {
  return {
    group,
    ours,
    ...(A && { peerA: A, ratioA: A / ours }),
    ...(B && { peerB: B, ratioB: B / ours }),
    ...(C && { peerC: C, ratioC: C / ours }),
  };
}

export class Bench {
  readonly results: Result[] = [];
  readonly comparisons: Comparison[] = [];
  /** Peak memory, where a benchmark looked. */
  readonly memory: { what: string; bytes: number }[] = [];

  constructor(readonly options: BenchOptions) {
    setThreads(options.threads);
  }

  /** Measures contestants in turns and prints their rows. */
  async compare(group: string, contestants: readonly Contestant[]): Promise<Result[]> {
    const repetitions: number[] = [];
    for (const c of contestants) {
      const cold = await timed(c.run, 1);
      const warm = cold > LONG ? cold : await timed(c.run, 1);
      repetitions.push(Math.max(1, Math.ceil(this.options.seconds / warm)));
    }
    const times: number[][] = contestants.map(() => []);
    for (let round = 0; round < this.options.rounds; round++)
      for (const [i, c] of contestants.entries())
        times[i]?.push(await timed(c.run, repetitions[i] as number));
    const sorted = times.map((t) => t.sort((a, b) => a - b));
    const first = quantile(sorted[0] as number[], 0.5);
    const results = contestants.map(({ name, bytes, flops }, i): Result => {
      const all = sorted[i] as number[];
      const seconds = quantile(all, 0.5);
      return {
        group,
        name,
        milliseconds: seconds * 1e3,
        best: (all[0] as number) * 1e3,
        quartiles: [quantile(all, 0.25) * 1e3, quantile(all, 0.75) * 1e3],
        gigabytesPerSecond: bytes && bytes / seconds / 1e9,
        gigaflops: flops && flops / seconds / 1e9,
        ratio: seconds / first,
      };
    });
    this.results.push(...results);
    const timeOf = (peer: PeerName) => results[contestants.findIndex((c) => c.peer === peer)]?.milliseconds;
    if (contestants.some((c) => c.peer))
      this.comparisons.push(
        comparison(group, (results[0] as Result).milliseconds, {
          A: timeOf("A"),
          B: timeOf("B"),
          C: timeOf("C"),
        }),
      );
    if (!this.options.json) print(group, results);
    return results;
  }

  /** What a pass that reads and writes reaches here: a leaky ReLU over 512 MB, the yardstick of memory-bound ops. */
  async bandwidth(): Promise<number> {
    const x = full([1 << 26], 1);
    const [row] = await this.compare("yardstick", [
      { name: "read + write 512 MB", run: () => leakyRelu(x, 0.5), bytes: 2 * 4 * x.size },
    ]);
    x.dispose();
    return row?.gigabytesPerSecond as number;
  }

  /** The ceiling of arithmetic, to be compared in turns with what is held against it: multiply-adds in registers. */
  peak(): Contestant {
    const rounds = 400000;
    return {
      name: "multiply-adds in registers",
      run: () => native.multiplyAdd(rounds),
      flops: native.multiplyAdd(rounds),
    };
  }

  /** Peak memory by who used it, in bytes. */
  remember(memory: ReadonlyMap<string, number>): void {
    for (const [what, bytes] of memory) this.memory.push({ what, bytes });
    if (this.options.json) return;
    for (const [what, bytes] of memory)
      console.log(`  peak memory of ${what}: ${(bytes / 2 ** 20).toFixed(0)} MiB`);
  }

  /** Everything measured, with what it depends on. */
  summary(): object {
    const { isa, compiler } = native.info();
    const { threads, rounds } = this.options;
    return {
      cpu: cpus()[0]?.model,
      node: process.version,
      isa,
      compiler,
      threads,
      rounds,
      comparisons: this.comparisons,
      memory: this.memory,
      results: this.results,
    };
  }
}

const cell = (value: number | undefined, width: number, digits: number) =>
  (value === undefined ? "" : value.toFixed(digits)).padStart(width);

function print(group: string, results: readonly Result[]): void {
  console.log(`\n${group.padEnd(44)}      ms    best    25 %    75 %     GB/s   GFLOP/s  ratio`);
  for (const r of results)
    console.log(
      `  ${r.name.padEnd(42)}${cell(r.milliseconds, 8, 2)}${cell(r.best, 8, 2)}${cell(r.quartiles[0], 8, 2)}${cell(r.quartiles[1], 8, 2)}` +
        `${cell(r.gigabytesPerSecond, 8, 1)}${cell(r.gigaflops, 10, 1)}${cell(r.ratio, 8, 2)}`,
    );
}
