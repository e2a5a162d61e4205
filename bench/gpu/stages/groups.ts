/**
 * Convolutions by the products of warpgroups, which run on request alone: each form first in a process of its own, which
 * may hang, then beside PyTorch. Later stages measure the forms that came through the first.
 */
import { again } from "../children";
import { type Form, groupForms, keepForms } from "../forms";
import { dry, type Part, requireGpu } from "../part";
import { kernelPrecisions } from "../precisions";
import { againstTorch } from "./correct";

const SECONDS = dry ? 300 : 15;

async function tryAlone(part: Part, form: Form): Promise<boolean> {
  const { code, said, cutOff } = await again("form", SECONDS, [], { VOXELSPARK_CUDA_WGMMA: form });
  const end = cutOff ? `no end within ${SECONDS} s` : `exit code ${code}`;
  const lines = said.trim().split("\n");
  part.check(`wgmma ${form} by itself`, code === 0, `${end}; ${lines.slice(code === 0 ? -1 : -3).join(" ")}`);
  return code === 0;
}

export default async function groups(part: Part): Promise<void> {
  requireGpu();
  const all = await groupForms();
  const good: Form[] = [];
  for (const form of all)
    await part.attempt(`wgmma ${form} by itself`, async () => {
      if (await tryAlone(part, form)) good.push(form);
    });
  keepForms(good);
  part.fact("products of warpgroups", all.length ? good : "the device has none");
  const convolution = ({ op }: { op: string }) => op.startsWith("conv");
  for (const precision of (["bf16", "fp16"] as const).filter((p) => kernelPrecisions().includes(p)))
    for (const form of precision === "bf16" ? good : good.slice(0, 1))
      await part.attempt(`${precision} convolutions, wgmma ${form}`, () =>
        againstTorch(part, [precision], convolution, form),
      );
}
