/** Runs the command line, as compiled from the sources, in a process of its own. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { PlanInput } from "../../lib/plans/plan";
import { compileLib } from "../compile-lib";
import { tinyPlan } from "../fixtures";

/** The program of the command line. */
export const main = join(compileLib(), "cli/main.js");

export interface Finished {
  code: number | null;
  signal: NodeJS.Signals | null;
  stdout: string;
  stderr: string;
}

export interface Running {
  child: ChildProcess;
  /** Resolves when `pattern` has appeared on stderr, or the process has ended. */
  said(pattern: RegExp): Promise<boolean>;
  finished: Promise<Finished>;
}

export function start(...args: string[]): Running {
  return startWith({}, ...args);
}

/** As `start`, with more environment variables. */
export function startWith(env: Record<string, string>, ...args: string[]): Running {
  const child = spawn(process.execPath, [main, ...args], {
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...process.env, ...env },
  });
  const heard = { stdout: "", stderr: "" };
  child.stdout.setEncoding("utf8").on("data", (text) => {
    heard.stdout += text;
  });
  child.stderr.setEncoding("utf8").on("data", (text) => {
    heard.stderr += text;
  });
  const closed = once(child, "close");
  const finished = closed.then(([code, signal]) => ({ code, signal, ...heard }) as Finished);
  const said = async (pattern: RegExp) => {
    let ended = false;
    void closed.then(() => {
      ended = true;
    });
    while (!pattern.test(heard.stderr) && !ended) await Promise.race([once(child.stderr, "data"), closed]);
    return pattern.test(heard.stderr);
  };
  return { child, said, finished };
}

export const cli = (...args: string[]): Promise<Finished> => start(...args).finished;

/** Writes a plan file of the tiny plan, whose cases keep their spacing; returns its options for the command line. */
export function planFile(folder: string, input: PlanInput = {}, name = "plan.json"): string[] {
  const plan = tinyPlan({ preprocessing: { spacing: null }, ...input });
  writeFileSync(join(folder, name), JSON.stringify(plan));
  return ["--plan", join(folder, name)];
}

/** An object with every key of a JSON document on stdout. */
export const jsonOf = ({ stdout }: Finished) => JSON.parse(stdout);
