/** A run of pre-training of a few steps, to fine-tune from. */
import { join } from "node:path";
import { runPretraining } from "../../lib/runs/pretraining";
import { tinyCases, tinyPlan, tinySource } from "../fixtures";

/** @returns the run folder in `root` */
export async function pretrainedRun(root: string, steps = 2): Promise<string> {
  const [cases, out] = [join(root, "cases"), join(root, "pretrained")];
  await tinyCases(cases);
  const plan = tinyPlan({ steps, validation: { patches: 0 } });
  // biome-ignore lint/correctness/useYield: nothing to prepare
  async function* open(): AsyncGenerator<never, Awaited<ReturnType<typeof tinySource>>> {
    return tinySource(plan, cases);
  }
  for await (const _ of runPretraining({ plan, out, open, device: "cpu" })) {
    // nothing to see
  }
  return out;
}
