/** Options that several commands share, and what they turn into. */
import type { Argv } from "yargs";
import { featureType, type Precision, precisions, resolveDevice } from "../device";
import { createPlan, type Plan, type PlanInput, PRESETS, type PresetName, planFromFile } from "../plans/plan";
import { type DeviceName, setThreads } from "../tensor";
import { log, UsageError } from "./output";

export interface CommonArgs {
  threads?: number | undefined;
  json?: boolean | undefined;
}

export interface ComputeArgs extends CommonArgs {
  device?: "auto" | "cpu" | "cuda" | undefined;
}

export function commonOptions<T>(yargs: Argv<T>): Argv<T & CommonArgs> {
  return yargs
    .option("threads", { type: "number", describe: "CPU threads; results do not depend on it" })
    .option("json", { type: "boolean", describe: "Print the result as JSON on stdout" }) as Argv<
    T & CommonArgs
  >;
}

export function computeOptions<T>(yargs: Argv<T>): Argv<T & ComputeArgs> {
  return commonOptions(yargs).option("device", {
    choices: ["auto", "cpu", "cuda"] as const,
    describe: "Where to compute; auto takes a GPU that works (default: the plan's, $VOXELSPARK_DEVICE, auto)",
  }) as Argv<T & ComputeArgs>;
}

/** Of commands that read images: the cures that errors about images name. */
export const nonFiniteOption = {
  choices: ["error", "zero"] as const,
  describe: "What NaN and infinite voxels do (default: the plan's, error)",
};
export const geometryOption = {
  choices: ["auto", "sform", "qform"] as const,
  describe: "Which affine to trust (default: the plan's, auto)",
};
export interface ReadingArgs {
  nonFinite?: Preprocessing["nonFinite"] | undefined;
  geometry?: Preprocessing["geometry"] | undefined;
}

/** Of commands that compute with networks. */
export const precisionOption = {
  choices: precisions,
  describe: "Feature maps in 32 or 16 bits (default: the plan's, fp32); bf16 and fp16 on CUDA only",
};

/** Applies --threads. @throws UsageError */
export function useThreads(threads: number | undefined): void {
  if (threads === undefined) return;
  if (!(Number.isInteger(threads) && threads >= 1 && threads <= 1024))
    throw new UsageError(`--threads is ${threads}, allowed are whole numbers from 1 to 1024`);
  setThreads(threads);
}

/**
 * Applies --threads, chooses the device and says which: that of the command line, else the plan's, else that of
 * VOXELSPARK_DEVICE, else a GPU that works.
 * @throws DeviceError when it lacks the plan's precision
 */
export function chooseDevice(
  { device, threads }: ComputeArgs,
  plan?: Pick<Plan, "device" | "precision">,
): DeviceName {
  useThreads(threads);
  const planned = plan === undefined || plan.device === "auto" ? undefined : plan.device;
  const choice = resolveDevice(device ?? planned);
  log(`device: ${choice.reason}`);
  if (plan) featureType(plan.precision, choice.device);
  return choice.device;
}

export interface PlanArgs extends ReadingArgs {
  plan?: string | undefined;
  preset?: string | undefined;
  patch?: string | undefined;
  batch?: number | undefined;
  steps?: number | undefined;
  seed?: number | undefined;
  precision?: Precision | undefined;
  cudaGraph?: boolean | undefined;
  workers?: number | undefined;
  spacing?: number[] | undefined;
}

type Preprocessing = Plan["preprocessing"];

export function planOptions<T>(yargs: Argv<T>): Argv<T & PlanArgs> {
  return yargs
    .option("plan", {
      type: "string",
      normalize: true,
      describe: "Plan file (JSON); fills in from the preset",
    })
    .option("preset", {
      choices: Object.keys(PRESETS),
      describe: "Complete plan to start from (default: s3d)",
    })
    .option("patch", { type: "string", describe: "Patch edge in voxels, or z,y,x" })
    .option("batch", { type: "number", describe: "Patches a step" })
    .option("steps", { type: "number", describe: "Training steps" })
    .option("seed", { type: "number", describe: "Everything random follows from it" })
    .option("precision", precisionOption)
    .option("cuda-graph", {
      type: "boolean",
      describe:
        "On CUDA, repeat training steps as CUDA graphs; never changes a result (default: the plan's, no)",
    })
    .option("workers", { type: "number", describe: "Loader threads; never changes a result" })
    .option("spacing", {
      type: "number",
      array: true,
      describe: "Voxel size in mm: z y x (default: the plan's, 1 1 1)",
    })
    .option("non-finite", nonFiniteOption)
    .option("geometry", geometryOption) as Argv<T & PlanArgs>;
}

/** "64" or "64,96,96". */
function triple(text: string): [number, number, number] {
  const values = text.split(",").map(Number);
  if (![1, 3].includes(values.length) || values.some((v) => !Number.isInteger(v)))
    throw new UsageError(`--patch is '${text}', allowed are one whole number or three as z,y,x`);
  return (values.length === 1 ? [values[0], values[0], values[0]] : values) as [number, number, number];
}

/** Without the options that were not given; undefined when none was. */
export function given<T extends object>(
  options: T,
): { [K in keyof T]: Exclude<T[K], undefined> } | undefined {
  const entries = Object.entries(options).filter(([, value]) => value !== undefined);
  return entries.length > 0 ? (Object.fromEntries(entries) as never) : undefined;
}

/** The fields that the options state. */
export function overridesOf(args: PlanArgs) {
  const { patch, batch, steps, seed, precision, cudaGraph, workers, spacing, nonFinite, geometry } = args;
  return given({
    batch,
    steps,
    seed,
    precision,
    cudaGraph,
    patch: patch === undefined ? undefined : triple(patch),
    loader: given({ workers }),
    preprocessing: given({ spacing, nonFinite, geometry }),
  });
}

/** --preset, which is the paper's plan where it is not given. */
export function presetOf({ preset = "s3d" }: PlanArgs): PresetName {
  return preset as PresetName;
}

/**
 * The plan that file, preset and options describe; options win.
 * @param own file of the plan to go on with where neither file nor preset is named
 */
export async function planOf(args: PlanArgs, own?: string): Promise<Plan> {
  const overrides = overridesOf(args) as PlanInput | undefined;
  const preset = presetOf(args);
  const file = args.plan ?? (args.preset === undefined ? own : undefined);
  return file
    ? planFromFile(file, { preset, ...(overrides ? { overrides } : {}) })
    : createPlan(overrides ?? {}, preset, "Command line");
}
