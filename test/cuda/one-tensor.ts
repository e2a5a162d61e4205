/**
 * Cases of tensor-cases.ts in a process of its own, where a backend may do what it likes:
 *   node -r tsx/cjs test/cuda/one-tensor.ts 80 "halo, exact"
 * A name may end with ", pending": with normalisations pending on its maps; with ", joined" it is one of joined-cases.ts;
 * "starved: " before it has warps come late. Exits with 3 when a kernel is wrong, saying how. The first argument is the
 * compute capability times 10.
 */
import { forget, type Steering, schedules, starvation, steer } from "./control";
import { checkJoined, type JoinedCase, joined, odd } from "./joined-cases";
import { checkPending } from "./pending-cases";
import { type Case, cases, check, group, halo } from "./tensor-cases";

async function main([capability, ...names]: string[]): Promise<number> {
  const usual = [3, 2, 1].map((i) => schedules[i] as Steering);
  try {
    for (const wanted of names) {
      const [, late, name = "", kind] = /^(starved: )?(.+?)(?:, (pending|joined))?$/.exec(wanted) ?? [];
      const variants = (late ? starvation : usual).map((v) => ({ ...v, capability: Number(capability) }));
      if (kind === "joined") {
        await checkJoined(name, { ...joined, ...odd }[name] as JoinedCase, "bfloat16", variants);
        continue;
      }
      const run = kind === "pending" ? checkPending : check;
      await run(name, { ...cases, ...group, ...halo }[name] as Case, "bfloat16", variants);
    }
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
