/** Whole steps twice from the same start: losses and every weight must have the same bits. */
import { createHash } from "node:crypto";
import type { S3D } from "../../../lib";
import { type Form, groupForms, inForm } from "../forms";
import { trainSteps, wideNetwork } from "../model";
import { dry, type Part, requireGpu } from "../part";
import { type Precision, planPrecisions } from "../precisions";

async function digest(precision: Precision, form: Form = "off"): Promise<string> {
  const sum = createHash("sha256");
  const seen = async (model: S3D) => {
    for (const [name, t] of model.state()) {
      const { buffer, byteOffset, byteLength } = await t.data();
      sum.update(name).update(new Uint8Array(buffer, byteOffset, byteLength));
    }
  };
  // Warpgroups compute wide layers alone, which an emulated device takes its time for.
  const more = form === "off" ? { steps: 4 } : { steps: dry ? 1 : 4, network: wideNetwork };
  const losses = await inForm(form, () => trainSteps("cuda", precision, { ...more, seen }));
  return sum.update(losses.join()).digest("hex");
}

async function twice(part: Part, precision: Precision, form: Form): Promise<void> {
  const what = form === "off" ? precision : `${precision}, wgmma ${form}`;
  await part.attempt(`${what}, repeated`, async () => {
    const [first, second] = [await digest(precision, form), await digest(precision, form)];
    part.check(
      `${what}: the same steps twice, the same bits`,
      first === second,
      `${first.slice(0, 12)} and ${second.slice(0, 12)}`,
    );
  });
}

export default async function repeat(part: Part): Promise<void> {
  requireGpu();
  for (const precision of planPrecisions()) await twice(part, precision, "off");
  const forms = planPrecisions().includes("bf16") ? await groupForms() : [];
  for (const form of dry ? forms.slice(0, 1) : forms) await twice(part, "bf16", form);
}
