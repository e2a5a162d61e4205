/**
 * `npm run bench -- [names] [--threads n] [--rounds n] [--json] [--peer python]`: runs bench/ops/<name>.ts or
 * bench/step.ts (`step [--patch 64] [--batch 1] [--ratio 0.75]`), all of them without names. Each exports a default
 * function that takes a Bench.
 */
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { Bench, benchOptions } from "./harness";

async function main(): Promise<void> {
  const folder = join(__dirname, "ops");
  const all = [...readdirSync(folder).map((f) => f.replace(/\.ts$/, "")), "step"];
  const { options, names } = benchOptions(process.argv.slice(2));
  const unknown = names.filter((n) => !all.includes(n));
  if (unknown.length) throw new Error(`no benchmark ${unknown.join(", ")}; there are ${all.join(", ")}`);
  const bench = new Bench(options);
  for (const name of names.length ? names : all) {
    const { default: run } = (await import(join(name === "step" ? __dirname : folder, `${name}.ts`))) as {
      default: (b: Bench) => Promise<void>;
    };
    await run(bench);
  }
  if (options.json) console.log(JSON.stringify(bench.summary()));
}

void main();
