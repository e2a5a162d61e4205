#!/usr/bin/env node
import "./uncaught";
import yargs from "yargs";
import { hideBin } from "yargs/helpers";
import { compare } from "./compare";
import { evaluate } from "./evaluate";
import { finetune } from "./finetune";
import { info } from "./info";
import { brokenStderr } from "./interruption";
import { tell, UsageError } from "./output";
import { predict } from "./predict";
import { preprocess } from "./preprocess";
import { pretrain } from "./pretrain";
import { reconstruct } from "./reconstruct";
import { report } from "./report";
import { unknownArguments } from "./suggestions";

function commandLine(args: readonly string[]) {
  const parser = yargs(args)
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
    .exitProcess(false);
  parser.fail((message, error) => {
    if (error) throw error;
    const [first] = args;
    // yargs calls what stands without a name "non-option arguments".
    if (/^Not enough non-option/.test(message)) throw new UsageError(`${first} needs a file or folder`);
    throw new UsageError(unknownArguments(message, first, optionsOf(parser)));
  });
  return parser;
}

/** Exit codes: 0 success, 1 failure, 2 wrong usage; a run that a signal ended says 128 + its number. */
async function main(): Promise<void> {
  // A reader that closes the pipe early (`| head`) is no error.
  process.stdout.on("error", (e: NodeJS.ErrnoException) => process.exit(e.code === "EPIPE" ? 0 : 1));
  process.stderr.on("error", brokenStderr);
  try {
    await commandLine(hideBin(process.argv)).parseAsync();
  } catch (error) {
    process.exitCode = tell(error);
  }
}

/** Names of the options of the command that is being read; yargs' types leave them out. */
function optionsOf(parser: unknown): string[] {
  return Object.keys((parser as { getOptions(): { key: object } }).getOptions().key);
}

/** Refuses options without a value where one is needed, and those whose value is no number though it should be. */
function requireValues(options: Record<string, unknown>): boolean {
  for (const [name, value] of Object.entries(options))
    if (name !== "_" && isLacking(value)) {
      const dashes = name.length === 1 ? "-" : "--";
      const what = [value].flat().some(Number.isNaN) ? "a value that is a number" : "a value";
      throw new UsageError(`${dashes}${name} needs ${what}`);
    }
  return true;
}

function isLacking(value: unknown): boolean {
  const values = [value].flat();
  return values.length === 0 || values.some((v) => v === undefined || v === "" || Number.isNaN(v));
}

void main();
