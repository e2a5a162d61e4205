/**
 * `npm run bench -- [names] [options]`: runs bench/ops/<name>.ts (a kernel each) and bench/tasks/<name>.ts (a piece of
 * a user's work each); `ops` and `tasks` stand for all of theirs, and no name for everything. Each exports a default
 * function that takes a Bench.
 */
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { Bench } from "./harness";
import { parseOptions } from "./options";

type Run = (bench: Bench) => Promise<void>;

async function main(): Promise<void> {
  const files = new Map<string, string>();
  const groups = new Map<string, string[]>();
  for (const folder of ["ops", "tasks"]) {
    const names = readdirSync(join(__dirname, folder)).map((file) => file.replace(/\.ts$/, ""));
    groups.set(folder, names);
    for (const name of names) files.set(name, join(__dirname, folder, `${name}.ts`));
  }
  const { options, names } = parseOptions(process.argv.slice(2), files, groups);
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
