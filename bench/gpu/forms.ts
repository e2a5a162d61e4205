/**
 * The forms of products that the backend has (native/ops/conv3d/README.md): "off", those of warps, which run unless
 * VOXELSPARK_CUDA_WGMMA asks for one of the others, of warpgroups.
 */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { conv3d, sync, zeros } from "../../lib";
import { scope } from "../../lib/scope";
import { workFolder, writeWhole } from "./part";
import { kernelPrecisions } from "./precisions";

export const forms = ["off", "shared", "registers"] as const;
export type Form = (typeof forms)[number];

const variable = "VOXELSPARK_CUDA_WGMMA";

function set(value: string | undefined): void {
  if (value === undefined) delete process.env[variable];
  else process.env[variable] = value;
}

/** Native code reads the variable with every launch, so those that are queued have to be done. */
export async function inForm<T>(form: Form, work: () => Promise<T>): Promise<T> {
  await sync();
  const before = process.env[variable];
  set(form);
  try {
    return await work();
  } finally {
    await sync().finally(() => set(before));
  }
}

/** Where the stage `groups` leaves the forms that gave right results in a process of their own. */
const verified = () => join(workFolder(), "forms.json");
export const keepForms = (forms: readonly Form[]) => writeWhole(verified(), JSON.stringify(forms));

async function works(form: Form): Promise<boolean> {
  try {
    await inForm(form, async () => {
      scope(() => {
        const of = (shape: number[], dtype: "bfloat16" | "float32") =>
          zeros(shape, { device: "cuda", dtype });
        conv3d(of([1, 64, 1, 1, 1], "bfloat16"), of([64, 64, 1, 1, 1], "float32"));
      });
      await sync();
    });
    return true;
  } catch {
    return false; // the backend says that the device has none of these instructions
  }
}

/** Besides "off", those that the device has and that were not found wrong. */
export async function groupForms(): Promise<Form[]> {
  if (!kernelPrecisions().includes("bf16")) return [];
  if (existsSync(verified())) return JSON.parse(readFileSync(verified(), "utf8")) as Form[];
  return (await works("shared")) ? ["shared", "registers"] : [];
}
