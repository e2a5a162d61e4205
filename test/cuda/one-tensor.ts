/**
 * Cases of tensor-cases.ts in a process of its own, where a backend may do what it likes:
 *   node -r tsx/cjs test/cuda/one-tensor.ts 80 "halo, exact"
 * A name may end with ", pending": with normalisations pending on its maps; with ", joined" it is one of joined-cases.ts.
 * Exits with 3 when a kernel is wrong, saying how. The first argument is the compute capability times 10.
 */
import { forget, schedules, steer } from "./control";
import { checkJoined, type JoinedCase, joined, odd } from "./joined-cases";
import { checkPending } from "./pending-cases";
import { type Case, cases, check, group, halo } from "./tensor-cases";

async function main([capability, ...names]: string[]): Promise<number> {
  const variants = [3, 2, 1].map((i) => ({ ...schedules[i], capability: Number(capability) }));
  try {
    for (const wanted of names) {
      const name = wanted.replace(/, (pending|joined)$/, "");
      if (wanted.endsWith(", joined")) {
        await checkJoined(name, { ...joined, ...odd }[name] as JoinedCase, "bfloat16", variants);
        continue;
      }
      const run = name === wanted ? check : checkPending;
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
