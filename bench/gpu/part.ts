/** What a stage of the check leaves: figures and checks, written after each of them, so that a cut-off keeps the rest. */
import { renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { info } from "../../lib";

export interface Check {
  what: string;
  ok: boolean;
  /** The value found and the value allowed. */
  says: string;
}

export const passes = ["forward", "grad_input", "grad_weight"] as const;
export type Pass = (typeof passes)[number];

/** A pass of a layer: ours, or a peer's in one memory layout. */
export interface KernelTime {
  layer: string;
  pass: Pass;
  by: "voxelspark" | "PyTorch";
  /** "75 % masked", "contiguous" … */
  how: string;
  precision: string;
  seconds: number;
  /** Of what has to be computed: visible voxels only where masked. */
  flops: number;
  /** Kernels that the profiler saw. */
  kernels?: string[];
  /** Why there is no figure. */
  failed?: string;
}

export interface StepTime {
  by: string;
  /** "", or what is special: a CUDA graph, a form of products, a memory layout. */
  how: string;
  precision: string;
  /** Share of masked blocks. */
  ratio: number;
  seconds: number;
  quartiles: [number, number];
  peakBytes: number;
  failed?: string;
}

export interface Curve {
  by: string;
  precision: string;
  losses: number[];
}

export interface PredictionTime {
  by: string;
  precision: string;
  seconds: number;
  windows: number;
  peakBytes: number;
}

/** A result in 16 bits: how far it is off, and how far PyTorch's own in the same precision. */
export interface Deviation {
  what: string;
  precision: string;
  error: number;
  own: number;
}

export interface PartData {
  facts?: Record<string, unknown>;
  checks?: Check[];
  deviations?: Deviation[];
  kernels?: KernelTime[];
  steps?: StepTime[];
  curves?: Curve[];
  predictions?: PredictionTime[];
  reason?: string;
  /** What it was at, should it never end. */
  running?: string;
}

const environment = (name: string) => {
  const value = process.env[name];
  if (value === undefined) throw new Error(`${name} is not set: start this through bench/gpu/check.sh`);
  return value;
};

export const dry = process.env.CHECK_DRY === "1";
/** The device of the peers. */
export const peerDevice = dry ? "cpu" : "cuda";
export const python = process.env.PYTHON ?? "python3";
/** Folders: what goes away with the check, and what stays. */
export const workFolder = () => environment("CHECK_WORK");
export const outFolder = () => environment("OUT");

/** Whole or not at all: whoever is killed meanwhile leaves the file as it was. */
export function writeWhole(file: string, text: string): void {
  writeFileSync(`${file}.new`, text);
  renameSync(`${file}.new`, file);
}

/** Between saves that nothing hinges on; hundreds of checks would spend their time writing. */
const SAVE_EVERY = 200;

/** A stage ends early for a reason to be read by people. */
export class StageFailure extends Error {}

export class Part {
  readonly data: PartData = {};
  private saved = 0;

  constructor(readonly name: string) {}

  fact(name: string, value: unknown): void {
    this.data.facts = { ...this.data.facts, [name]: value };
    this.save();
  }

  add<K extends "kernels" | "steps" | "curves" | "predictions" | "deviations">(
    kind: K,
    ...rows: NonNullable<PartData[K]>
  ): void {
    const all = (this.data[kind] ?? []) as unknown[];
    this.data[kind] = [...all, ...rows] as PartData[K];
    this.saveSometimes();
  }

  check(what: string, ok: boolean, says: string): void {
    this.data.checks = [...(this.data.checks ?? []), { what, ok, says }];
    if (!ok) console.log(`WRONG: ${what}: ${says}`);
    this.saveSometimes();
  }

  /** A relative error against what is allowed; NaN never passes. */
  within(what: string, error: number, allowed: number): void {
    this.check(
      what,
      error <= allowed,
      `error ${error.toExponential(2)}, allowed ${allowed.toExponential(2)}`,
    );
  }

  /** Runs a piece whose failure must not stop the others. */
  async attempt(what: string, work: () => unknown): Promise<void> {
    this.data.running = what; // a kernel that hangs leaves nothing else
    this.save();
    try {
      await work();
      delete this.data.running;
    } catch (error) {
      delete this.data.running;
      this.check(what, false, (error as Error).message.split("\n").slice(0, 4).join(" "));
    }
  }

  fail(reason: string): void {
    this.data.reason = reason;
    this.save();
  }

  private saveSometimes(): void {
    if (performance.now() - this.saved > SAVE_EVERY) this.save();
  }

  save(): void {
    writeWhole(join(workFolder(), `${this.name}.json`), JSON.stringify(this.data));
    this.saved = performance.now();
  }
}

/** @throws StageFailure that says why there is none */
export function requireGpu(): void {
  const { deviceCount, reason } = info().cuda;
  if (deviceCount === 0) throw new StageFailure(`no GPU: ${reason}`);
}
