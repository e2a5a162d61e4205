/**
 * Cases of tensor-cases.ts in a process of its own, where a backend may do what it likes:
 *   node -r tsx/cjs test/cuda/one-tensor.ts 80 "halo, exact"
 * A name may end with ", float32" or ", float16", with ", pending": with normalisations pending on its maps, and with
 * ", joined" or ", folded": of joined-cases.ts or folding-cases.ts; "starved: " before it has warps come late. Exits with 3
 * when a kernel is wrong, saying how. The first argument is the compute capability times 10.
 */
import { forget, type Steering, schedules, starvation, steer } from "./control";
import { checkFolded, type FoldedCase, folded } from "./folding-cases";
import { checkJoined, type JoinedCase, joined, odd } from "./joined-cases";
import { checkPending } from "./pending-cases";
import { type Case, cases, group, halo } from "./tensor-cases";
import { check } from "./tensor-check";

const usual = [3, 2, 1].map((i) => schedules[i] as Steering);

async function run(wanted: string, capability: number): Promise<void> {
  const [, late, name = "", how] =
    /^(starved: )?(.+?)(?:, (float32|float16|pending|joined|folded))?$/.exec(wanted) ?? [];
  const variants = (late ? starvation : usual).map((v) => ({ ...v, capability }));
  if (how === "folded") return checkFolded(name, folded[name] as FoldedCase, "bfloat16", variants);
  if (how === "joined")
    return checkJoined(name, { ...joined, ...odd }[name] as JoinedCase, "bfloat16", variants);
  const c = { ...cases, ...group, ...halo }[name] as Case;
  if (how === "pending") return checkPending(name, c, "bfloat16", variants);
  return check(name, c, how === "float32" || how === "float16" ? how : "bfloat16", variants);
}

async function main([capability, ...names]: string[]): Promise<number> {
  try {
    for (const name of names) await run(name, Number(capability));
    return 0;
  } catch (error) {
    console.log((error as Error).message.split("\n")[0]);
    return 3;
  } finally {
    forget();
  }
}

steer({ capability: Number(process.argv[2]) });
void main(process.argv.slice(2)).then((code) => process.exit(code));
