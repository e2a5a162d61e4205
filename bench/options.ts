/** The command line of the benchmarks. */
import { cpus } from "node:os";
import yargs, { type Options } from "yargs";
import { PRESETS, type PresetName } from "../lib/plans/presets";

export interface BenchOptions {
  threads: number;
  /** Measurements of each contestant. */
  rounds: number;
  /** Shorter measurements repeat their work. */
  seconds: number;
  json: boolean;
  /** Python with PyTorch, for benchmarks that have a peer; which of the two to start. */
  peer: string | undefined;
  peers: "A" | "B" | "AB";
  /** Of the training step: patch edge, batch, share of masked blocks. */
  patch: number;
  batch: number;
  ratio: number;
  /** Of the training step: measure it without fused norms and without token folding too. */
  plain: boolean;
  /** Of the layers: those of the decoder, the encoder's sum, or both. */
  part: "dense" | "encoder" | "all";
  /** Of the prediction: z,y,x; the preset of the network; edge of a window, else the preset's patch. */
  volume: string;
  network: PresetName;
  window: number | undefined;
}

const positive = { type: "number", requiresArg: true } as const;

const OPTIONS = {
  threads: { ...positive, default: cpus().length, describe: "Threads of the kernels and of the peer" },
  rounds: { ...positive, default: 7, describe: "Measurements of each contestant" },
  seconds: { ...positive, default: 0.05, describe: "Shorter work is repeated up to this time" },
  json: { type: "boolean", default: false, describe: "One JSON object on stdout instead of tables" },
  peer: {
    type: "string",
    requiresArg: true,
    coerce: (python?: string) => (python === "torch" ? "python3" : python),
    describe: "PyTorch to measure beside us: torch (that of python3), or the Python that has it",
  },
  peers: {
    choices: ["A", "B", "AB"],
    default: "AB",
    describe: "step: PyTorch as it comes, tuned, or both; both at 160³ need 26 GB",
  },
  patch: { ...positive, default: 64, describe: "step, read: edge of the patch in voxels" },
  batch: { ...positive, default: 1, describe: "step: patches in a batch" },
  ratio: { ...positive, default: 0.75, describe: "step: share of masked blocks" },
  plain: {
    type: "boolean",
    default: false,
    describe: "step: also without fusion, also without token folding",
  },
  part: { choices: ["dense", "encoder", "all"], default: "all", describe: "layers: which of them" },
  volume: { type: "string", default: "160,192,160", describe: "predict: z,y,x in voxels" },
  network: { choices: Object.keys(PRESETS), default: "tiny", describe: "predict: preset of the network" },
  window: { ...positive, describe: "predict: edge of a window; default: the preset's patch" },
} satisfies Record<string, Options>;

function requireValid(values: Record<string, unknown>): true {
  for (const [name, value] of Object.entries(values))
    if (typeof value === "number" && !(value > 0))
      throw new Error(`--${name} is ${value}, allowed are numbers above 0`);
  if (!/^\d+,\d+,\d+$/.test(String(values.volume)))
    throw new Error(`--volume is ${values.volume}, allowed are three whole numbers: z,y,x`);
  return true;
}

/**
 * Options and the names of the benchmarks to run: all where none is named, those of a group where it is. Prints what is
 * wrong and exits with 2.
 */
export function parseOptions(
  args: readonly string[],
  files: ReadonlyMap<string, string>,
  groups: ReadonlyMap<string, readonly string[]>,
) {
  const all = [...groups.keys(), ...files.keys()];
  const { names: asked, ...options } = yargs([...args])
    .scriptName("npm run bench --")
    .command("$0 [names..]", "Measure, interleaved; medians count.", (y) =>
      y.positional("names", { type: "string", array: true, choices: all, default: [...groups.keys()] }),
    )
    .options(OPTIONS)
    .check(requireValid)
    .strict()
    .fail((message, error) => {
      console.error(`${message ?? error.message}\nRun \`npm run bench -- --help\` for what is allowed.`);
      process.exit(2);
    })
    .parseSync() as unknown as BenchOptions & { names: string[] };
  const names = [...new Set(asked.flatMap((name) => groups.get(name) ?? name))];
  return { options: options as BenchOptions, names };
}
