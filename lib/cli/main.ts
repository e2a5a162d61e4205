#!/usr/bin/env node
import yargs from "yargs";
import { hideBin } from "yargs/helpers";
import { compare } from "./compare";
import { evaluate } from "./evaluate";
import { finetune } from "./finetune";
import { info } from "./info";
import { log, UsageError } from "./output";
import { predict } from "./predict";
import { preprocess } from "./preprocess";
import { pretrain } from "./pretrain";
import { reconstruct } from "./reconstruct";
import { report } from "./report";

/** Exit codes: 0 success, 1 failure, 2 wrong usage; a run that a signal ended says 128 + its number. */
async function main(): Promise<void> {
  // A reader that closes the pipe early (`| head`) is no error.
  process.stdout.on("error", (e: NodeJS.ErrnoException) => process.exit(e.code === "EPIPE" ? 0 : 1));
  const parser = yargs(hideBin(process.argv))
    .scriptName("voxelspark")
    .usage(
      "$0 <command> [options]\n\nPre-train 3-D CNNs by masked autoencoding, paying for visible voxels only.",
    )
    .command(info)
    .command(preprocess)
    .command(pretrain)
    .command(reconstruct)
    .command(finetune)
    .command(predict)
    .command(evaluate)
    .command(report)
    .command(compare)
    .strict()
    .parserConfiguration({ "duplicate-arguments-array": false }) // the last one wins, never a list of two
    .check(requireValues)
    .demandCommand(1, "Name a command.")
    .recommendCommands()
    .wrap(Math.min(110, process.stdout.columns ?? 110))
    .help()
    .alias("help", "h")
    .exitProcess(false)
    .fail((message, error) => {
      throw error ?? new UsageError(message);
    });
  try {
    await parser.parseAsync();
  } catch (error) {
    process.exitCode = tell(error);
  }
}

/** Refuses options whose value is no number though one is needed, or empty. */
function requireValues(options: Record<string, unknown>): boolean {
  for (const [name, value] of Object.entries(options))
    if ([value].flat().some((v) => v === "" || Number.isNaN(v)))
      throw new UsageError(
        `--${name} needs a value${Number.isNaN([value].flat()[0]) ? " that is a number" : ""}`,
      );
  return true;
}

function tell(error: unknown): number {
  const { code, message, stack } = error as { code?: string; message: string; stack?: string };
  const known = code?.startsWith("ERR_VOXELSPARK_") && code !== "ERR_VOXELSPARK_INTERNAL";
  log(`error: ${known ? `${message} [${code}]` : stack}`);
  if (!(error instanceof UsageError)) return 1;
  log("Run `voxelspark --help` or `voxelspark <command> --help` for what is allowed.");
  return 2;
}

void main();
