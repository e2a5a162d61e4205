/** Reading transfer.json, as far as the page of a run shows it. */
import { z } from "zod";
import { FormatError } from "../errors";
import { readTextFile } from "../files";
import { JsonError, parseJson } from "../json";
import type { TransferSummary } from "../report/finetuning";

const MAX_BYTES = 16 * 2 ** 20;

const names = z.array(z.string());
const schema = z.object({
  source: z.string().optional(),
  step: z.number().optional(),
  loaded: names,
  adapted: z.array(z.object({ name: z.string() })),
  reinitialised: names,
  skipped: z.array(z.object({ name: z.string(), why: z.string() })),
  unexpected: names,
});

/** @throws FormatError when the file is something else */
export async function readTransfer(path: string): Promise<TransferSummary> {
  const fail = (what: string, cause: unknown): never => {
    throw new FormatError("ERR_VOXELSPARK_FORMAT", `${path} is no report of a transfer: ${what}.`, { cause });
  };
  let json: unknown;
  try {
    json = parseJson(await readTextFile(path, MAX_BYTES));
  } catch (error) {
    if (!(error instanceof JsonError)) throw error;
    return fail(error.message, error);
  }
  const found = schema.safeParse(json);
  if (found.success) return found.data;
  const issue = found.error.issues[0]!;
  return fail(`${issue.path.join(".") || "the file"}: ${issue.message}`, found.error);
}
