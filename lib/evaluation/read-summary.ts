/** Reading summary.json, ours or nnU-Net's. */
import { z } from "zod";
import { FormatError } from "../errors";
import { readTextFile } from "../files";
import { JsonError, parseJson } from "../json";
import { type CaseResult, type Summary, summarize } from "./summary";

const MAX_BYTES = 256 * 2 ** 20;

const share = z.number().min(0).max(1).nullable();
const count = z.number().min(0);
const metrics = z.object({
  Dice: share,
  IoU: share,
  NSD: share.optional(),
  FN: count,
  FP: count,
  TN: count,
  TP: count,
  n_pred: count,
  n_ref: count,
});
const result = z.object({
  metrics: z.record(z.string(), metrics),
  prediction_file: z.string(),
  reference_file: z.string(),
});
const schema = z.object({ metric_per_case: z.array(result).min(1) });

/**
 * The cases of a summary; means are computed from them again. nnU-Net writes NaN for what is undefined, which is no
 * JSON; it is read as null.
 * @throws FormatError when the file is something else
 */
export async function readSummary(path: string): Promise<Summary> {
  const text = await readTextFile(path, MAX_BYTES);
  const fail = (what: string, cause?: unknown): never => {
    throw new FormatError("ERR_VOXELSPARK_FORMAT", `${path} is no summary of an evaluation: ${what}.`, {
      cause,
    });
  };
  let json: unknown;
  try {
    json = parseJson(text.replace(/(?<=[[:,]\s*)NaN(?=\s*[,}\]])/g, "null"));
  } catch (error) {
    if (!(error instanceof JsonError)) throw error;
    return fail(error.message, error);
  }
  const found = schema.safeParse(json);
  if (!found.success) {
    const issue = found.error.issues[0]!;
    return fail(`${issue.path.join(".") || "the file"}: ${issue.message}`, found.error);
  }
  return summarize(found.data.metric_per_case as CaseResult[]);
}
