/** Every op in 16 bits, by the tensor cores' instructions of warps, beside PyTorch in float64: see correct.ts. */
import { type Part, requireGpu } from "../part";
import { kernelPrecisions, type Precision } from "../precisions";
import { againstTorch } from "./correct";

export default async function mixed(part: Part): Promise<void> {
  requireGpu();
  const precisions = (["bf16", "fp16"] satisfies Precision[]).filter((p) => kernelPrecisions().includes(p));
  await part.attempt("ops beside PyTorch", () => againstTorch(part, precisions));
}
