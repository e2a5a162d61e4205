/** One stage of bench/gpu/check.sh, or `report`: the table of what the stages have left so far. */
import { Part, StageFailure } from "./part";
import { report } from "./report";

type Stage = (part: Part) => Promise<void>;
const stages: Record<string, () => { default: Stage }> = {
  facts: () => require("./stages/facts"),
  build: () => require("./stages/build"),
  smoke: () => require("./stages/smoke"),
  correct: () => require("./stages/correct"),
  mixed: () => require("./stages/mixed"),
  groups: () => require("./stages/groups"),
  step: () => require("./stages/step"),
  peers: () => require("./stages/peers"),
  ceilings: () => require("./stages/ceilings"),
  kernels: () => require("./stages/kernels"),
  repeat: () => require("./stages/repeat"),
  micro: () => require("./stages/micro"),
  curves: () => require("./stages/curves"),
  sanitizer: () => require("./stages/sanitizer"),
  predict: () => require("./stages/predict"),
  ncu: () => require("./stages/ncu"),
};

async function main(name: string): Promise<number> {
  if (name === "report") return report();
  // Children of other stages: what sanitizer and profiler watch.
  if (name === "watched")
    return (require("./watched") as typeof import("./watched")).watched(process.argv[3] as string);
  const part = new Part(name);
  try {
    const stage = stages[name]?.();
    if (!stage) throw new StageFailure(`stage is ${name}, allowed are ${Object.keys(stages).join(", ")}`);
    await stage.default(part);
  } catch (error) {
    if (!(error instanceof StageFailure)) console.error(error);
    part.fail((error as Error).message);
    console.log((error as Error).message);
    return 1;
  }
  const checks = part.data.checks ?? [];
  const wrong = checks.filter(({ ok }) => !ok).length;
  part.save();
  console.log(`${name}: ${checks.length - wrong} of ${checks.length} checks passed`);
  return wrong ? 1 : 0;
}

// A promise that nothing can fulfil any more ends Node with 0.
process.exitCode = 1;
void main(process.argv[2] as string).then((code) => process.exit(code));
