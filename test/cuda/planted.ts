/**
 * Planted bugs. All are compiled into one library, each beside what it takes the place of, and a process chooses one:
 * every source is compiled once, however many bugs it gets.
 */
import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";

const { build } = require("./build.cjs") as {
  build(name: string, edits: Record<string, (text: string) => string>): Promise<string>;
};
export const root = resolve(__dirname, "../..");

export interface Planted {
  name: string;
  file: string;
  /** What is replaced, in the file once: an expression, or whole statements up to a `;` that declare nothing. */
  found: string;
  /** Around it, where it is there more than once. */
  within?: string;
  planted: string;
}

/** A choice between the two at run time. */
function choice({ found, planted }: Planted, bug: number): string {
  const chosen = `::emulator::planted(${bug})`;
  return found.endsWith(";")
    ? `if (${chosen}) {\n${planted}\n} else {\n${found}\n}`
    : `(${chosen} ? (${planted}) : (${found}))`;
}

/** Throws where what a bug replaces is not there once, or is a part of what another replaces. */
function edit(text: string, bugs: readonly (readonly [Planted, number])[]): string {
  const places = bugs.map(([bug, number]) => {
    const { found, within = found } = bug;
    if (text.split(within).length !== 2) throw new Error(`${bug.name}: \`${within}\` is not there once`);
    const at = text.indexOf(within) + within.indexOf(found);
    return { at, end: at + found.length, bug, number };
  });
  places.sort((a, b) => b.at - a.at);
  let edited = text;
  let bound = text.length;
  for (const { at, end, bug, number } of places) {
    if (end > bound) throw new Error(`${bug.name}: its place is another's, too`);
    edited = edited.slice(0, at) + choice(bug, number) + edited.slice(end);
    bound = at;
  }
  // A thread block's barriers are told apart by where they are called: no code may become two copies.
  return `#pragma GCC optimize("no-thread-jumps")\n#include "planted.h"\n${edited}`;
}

/** @returns the path of the library; bugs have the numbers of their places in the list */
export function buildPlanted(library: string, bugs: readonly Planted[]): Promise<string> {
  const edits: Record<string, (text: string) => string> = {};
  for (const { file } of bugs)
    edits[file] = (text) =>
      edit(
        text,
        bugs.map((b, i) => [b, i] as const).filter(([b]) => b.file === file),
      );
  for (const [file, make] of Object.entries(edits)) make(readFileSync(join(root, file), "utf8"));
  return build(library, edits);
}

/** The environment of a process with one of the bugs, and with random numbers that do not change from run to run. */
export const withBug = (library: string, bug: number): NodeJS.ProcessEnv => ({
  ...process.env,
  VOXELSPARK_CUDA_LIBRARY: library,
  VOXELSPARK_PLANTED_BUG: String(bug),
  VOXELSPARK_TEST_SEED: process.env.VOXELSPARK_TEST_SEED ?? "1",
});
