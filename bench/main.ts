/**
 * `npm run bench -- [names] [options]`: runs bench/ops/<name>.ts (a kernel each) and bench/tasks/<name>.ts (a piece of
 * a user's work each), all of them without names. Each exports a default function that takes a Bench.
 */
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { Bench } from "./harness";
import { parseOptions } from "./options";

type Run = (bench: Bench) => Promise<void>;

async function main(): Promise<void> {
  const files = new Map<string, string>();
  for (const folder of ["ops", "tasks"])
    for (const file of readdirSync(join(__dirname, folder)))
      files.set(file.replace(/\.ts$/, ""), join(__dirname, folder, file));
  const { options, names } = parseOptions(process.argv.slice(2), [...files.keys()]);
  const bench = new Bench(options);
  for (const name of names) {
    const { default: run } = (await import(files.get(name) as string)) as { default: Run };
    await run(bench);
  }
  if (options.json) console.log(JSON.stringify(bench.summary()));
}

main().catch(({ code, message, stack }: Error & { code?: string }) => {
  console.error(code?.startsWith("ERR_VOXELSPARK_") ? `error: ${message} [${code}]` : stack);
  process.exitCode = 1;
});
