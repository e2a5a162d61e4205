/**
 * lib/ as JavaScript in dist-test/, for tests that start processes: each would otherwise spend more time on compiling
 * TypeScript than on what it is asked to do. Only what changed since the last time is compiled.
 */
import { mkdirSync, readdirSync, renameSync, statSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { type Options, transformFileSync } from "@swc/core";

const sources = resolve(__dirname, "../lib");
const compiled = resolve(__dirname, "../dist-test");

/** As TypeScript compiles them for the package: CommonJS that imports ES modules at run time. */
const options: Options = {
  jsc: { parser: { syntax: "typescript" }, target: "es2022" },
  module: { type: "commonjs", ignoreDynamic: true },
  swcrc: false,
};

const changedAt = (path: string) => statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0;

/** Text for a script of a test: what it calls to get a module of lib/. */
export const requireLib = (name: string): string =>
  `require(${JSON.stringify(join(compileLib(), `${name}.js`))})`;

/** @returns the folder of the compiled files */
export function compileLib(): string {
  for (const name of readdirSync(sources, { recursive: true }).map(String)) {
    if (!name.endsWith(".ts")) continue;
    const [source, target] = [join(sources, name), join(compiled, name.replace(/ts$/, "js"))];
    if (changedAt(target) > changedAt(source)) continue;
    mkdirSync(dirname(target), { recursive: true });
    // By renaming: a test file that runs beside this one may be reading it.
    writeFileSync(`${target}.${process.pid}`, transformFileSync(source, options).code);
    renameSync(`${target}.${process.pid}`, target);
  }
  return compiled;
}
