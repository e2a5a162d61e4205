/** Puts together what the stages left: results.json with everything, and the table of what matters. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { dry, outFolder, type PartData, workFolder, writeWhole } from "./part";
import { type Comparison, compareKernels, compareSteps, deviations, type Target, targetsOf } from "./ratios";

export interface StageRecord {
  name: string;
  limit: number;
  code: number;
  seconds: number;
  /** The end of what it printed. */
  said: string;
}

export interface StageResult extends PartData {
  name: string;
  outcome: "ok" | "failed" | "cut off";
  seconds: number;
  limit: number;
  reason?: string;
}

export interface Results {
  ok: boolean;
  dry: boolean;
  stages: StageResult[];
  comparisons: Comparison[];
  targets: Target[];
}

const lastLine = (text: string) => text.trimEnd().split("\n").at(-1)?.trim() ?? "";

function stageResult(record: StageRecord, part: PartData | undefined): StageResult {
  const { name, limit, code, seconds, said } = record;
  const over = code === 124 || (code === 137 && seconds >= limit);
  const killed = code === 137 && !over;
  const outcome = code === 0 ? "ok" : over ? "cut off" : "failed";
  const wrong = part?.checks?.filter(({ ok }) => !ok) ?? [];
  const at = part?.running ? `, at: ${part.running}` : "";
  const reason = over
    ? `longer than ${limit} s${at}`
    : killed
      ? `killed${at}`
      : (part?.reason ??
        (wrong[0] ? `${wrong.length} checks: ${wrong[0].what}: ${wrong[0].says}` : lastLine(said)));
  return { name, outcome, seconds, limit, ...(outcome !== "ok" && { reason }), ...part };
}

export function collect(
  records: readonly StageRecord[],
  parts: ReadonlyMap<string, PartData>,
  isDry: boolean,
): Results {
  const stages = records.map((record) => stageResult(record, parts.get(record.name)));
  const all = <K extends keyof PartData>(kind: K) =>
    stages.flatMap((s) => (s[kind] ?? []) as NonNullable<PartData[K]>);
  const steps = compareSteps(all("steps") as NonNullable<PartData["steps"]>);
  const kernels = compareKernels(all("kernels") as NonNullable<PartData["kernels"]>);
  return {
    ok: stages.length > 0 && stages.every(({ outcome }) => outcome === "ok"),
    dry: isDry,
    stages,
    comparisons: [...kernels, ...steps],
    targets: isDry
      ? []
      : targetsOf(
          kernels,
          steps,
          all("checks") as NonNullable<PartData["checks"]>,
          all("deviations") as NonNullable<PartData["deviations"]>,
        ),
  };
}

const number = (value: number | undefined, digits: number, width: number) =>
  (value === undefined || !Number.isFinite(value) ? "-" : value.toFixed(digits)).padStart(width);
const gigabytes = (bytes: number | undefined) => (bytes === undefined ? undefined : bytes / 1e9);

const passNames = ["forward", "grad_input", "grad_weight"];
const three = (values: readonly (number | undefined)[], digits: number) =>
  values.map((v) => number(v, digits, 7)).join("");

/** A line a layer; of the 16-bit precisions one, the others are in results.json. */
function kernelLines(rows: readonly Comparison[]): string[] {
  const kernels = rows.filter(({ kind }) => kind === "kernel");
  const half = ["bf16", "fp16"].find((p) => kernels.some(({ what }) => what.startsWith(p)));
  const shown = kernels.filter(({ what }) => what.startsWith("fp32") || what.startsWith(half ?? "fp32"));
  const layers = new Map<string, (Comparison | undefined)[]>();
  for (const row of shown) {
    const [, precision, pass, layer] = /^(\w+) (\w+), (.*)$/.exec(row.what) ?? [];
    const at = layers.get(`${precision} ${layer}`) ?? [];
    at[passNames.indexOf(pass ?? "")] = row;
    layers.set(`${precision} ${layer}`, at);
  }
  if (layers.size === 0) return [];
  return [
    "",
    `${"convolutions: forward, input and weight gradient".padEnd(50)}${"TFLOP/s of ours".padEnd(22)}${"cuDNN, dense".padEnd(22)}times faster`,
    ...[...layers].map(([name, row]) => {
      const of = (pick: (c: Comparison) => number | undefined) =>
        passNames.map((_, i) => row[i] && pick(row[i]));
      return (
        `${name.padEnd(49)}${three(
          of((c) => c.ours.tflops),
          1,
        )} ${three(
          of((c) => c.peer.tflops),
          1,
        )} ` +
        three(
          of((c) => c.timesFaster),
          2,
        )
      );
    }),
  ];
}

function stepLines(rows: readonly Comparison[]): string[] {
  const steps = rows.filter(({ kind }) => kind === "step");
  if (steps.length === 0) return [];
  return [
    "",
    `${"whole step".padEnd(42)}  ours ms       GB   peer ms       GB  times faster  than`,
    ...steps.map(
      ({ what, ours, peer, timesFaster }) =>
        `${what.padEnd(42)}${number(ours.seconds * 1e3, 1, 9)}${number(gigabytes(ours.peakBytes), 2, 9)}` +
        `${number(peer.seconds * 1e3, 1, 10)}${number(gigabytes(peer.peakBytes), 2, 9)}${number(timesFaster, 2, 14)}  ${peer.name}`,
    ),
  ];
}

export function table(results: Results): string {
  const facts = Object.assign({}, ...results.stages.map(({ facts }) => facts ?? {})) as Record<
    string,
    unknown
  >;
  const lines = [
    results.dry ? "DRY RUN: tiny sizes, no hardware behind it; its times say nothing." : "",
    ...["gpu", "driver", "nvcc", "torch", "node", "date"].flatMap((name) =>
      facts[name] === undefined ? [] : [`${name.padEnd(8)}${String(facts[name])}`],
    ),
    "",
    "stage      outcome   seconds  limit  checks",
    ...results.stages.map((s) => {
      const passed = s.checks?.filter(({ ok }) => ok).length ?? 0;
      const reason = s.reason ? `  ${s.reason.slice(0, 160)}` : "";
      return (
        `${s.name.padEnd(11)}${s.outcome.padEnd(8)}${number(s.seconds, 1, 9)}${number(s.limit, 0, 7)}` +
        `  ${`${passed}/${s.checks?.length ?? 0}`.padEnd(8)}${reason}`
      );
    }),
    ...kernelLines(results.comparisons),
    ...stepLines(results.comparisons),
    ...curveLines(results),
    ...predictionLines(results),
    ...results.targets.map(
      ({ what, found, wanted, met }) => `${met ? "reached" : "MISSED "}  ${what}: ${found}, wanted ${wanted}`,
    ),
    "",
    results.ok ? "all stages are well" : "NOT everything is well",
  ];
  return `${lines.join("\n").trim()}\n`;
}

function curveLines({ stages }: Results): string[] {
  const curves = stages.flatMap((s) => s.curves ?? []);
  const lines = deviations(curves).map(
    ({ by, precision, worst, last }) =>
      `${`${by} ${precision}`.padEnd(56)}${number(last, 5, 9)}   deviates by at most ${worst.toExponential(1)}`,
  );
  return lines.length
    ? ["", "loss after the same steps from equal weights, beside PyTorch fp32", ...lines]
    : [];
}

function predictionLines({ stages }: Results): string[] {
  const rows = stages.flatMap((s) => s.predictions ?? []);
  if (rows.length === 0) return [];
  return [
    "",
    "prediction of a volume by sliding windows",
    ...rows.map(
      ({ by, precision, seconds, windows, peakBytes }) =>
        `${`${by} ${precision}, ${windows} windows`.padEnd(56)}${number(seconds, 3, 9)} s ${number(gigabytes(peakBytes), 2, 7)} GB`,
    ),
  ];
}

function readRecords(folder: string): StageRecord[] {
  const file = join(folder, "stages.tsv");
  if (!existsSync(file)) return [];
  const read = (path: string) => (existsSync(path) ? readFileSync(path, "utf8") : "");
  return readFileSync(file, "utf8")
    .trim()
    .split("\n")
    .map((line) => {
      const [name, limit, code, began, ended] = line.split("\t") as [string, string, string, string, string];
      const said = read(join(folder, `${name}.log`)).slice(-2000);
      return { name, limit: Number(limit), code: Number(code), seconds: Number(ended) - Number(began), said };
    });
}

/** A part that a cut-off left half written counts as none. */
function readPart(file: string): PartData | undefined {
  try {
    return JSON.parse(readFileSync(file, "utf8")) as PartData;
  } catch {
    return undefined;
  }
}

export function report(): number {
  const folder = workFolder();
  const records = readRecords(folder);
  const parts = new Map<string, PartData>();
  for (const { name } of records) {
    const part = readPart(join(folder, `${name}.json`));
    if (part) parts.set(name, part);
  }
  const results = collect(records, parts, dry);
  const text = table(results);
  writeWhole(join(outFolder(), "results.json"), `${JSON.stringify(results, undefined, 1)}\n`);
  writeWhole(join(outFolder(), "table.txt"), text);
  process.stdout.write(text);
  return results.ok ? 0 : 1;
}
