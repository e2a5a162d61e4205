/** Turns what zod found into sentences: JSON path, value found, value allowed. */
import { z } from "zod";
import { shown } from "../arguments";

type Path = readonly PropertyKey[];

/** "network.features[2]"; "plan" for the whole. */
function jsonPath(path: Path, whole = "plan"): string {
  const text = path
    .map((part) => (typeof part === "number" ? `[${part}]` : `.${String(part)}`))
    .join("")
    .replace(/^\./, "");
  return text === "" ? `The ${whole}` : text;
}

/** One sentence for each issue of a strict schema's error; `whole` is what it describes. */
export function sentences(error: z.ZodError, schema: z.ZodObject, input: unknown, whole = "plan"): string[] {
  return error.issues.flatMap((issue) => {
    if (issue.code === "unrecognized_keys") {
      const allowed = keysAt(schema, issue.path);
      return issue.keys.map((key) => unknownKey(jsonPath([...issue.path, key]), key, allowed, whole));
    }
    const { found, present } = valueAt(input, issue.path);
    const path = jsonPath(issue.path, whole);
    return present
      ? [`${path} ${issue.message}, found ${shown(found)}.`]
      : [`${path} is missing; it ${issue.message}.`];
  });
}

function unknownKey(path: string, key: string, allowed: readonly string[], whole: string): string {
  const near = closest(key, allowed);
  const hint = near === undefined ? "" : `did you mean ${near}? `;
  const short = path.length > 120 ? `${path.slice(0, 117)}...` : path;
  return `${short} is not a key of ${/^[aeiou]/.test(whole) ? "an" : "a"} ${whole}; ${hint}allowed here: ${allowed.join(", ")}.`;
}

/** The name that a misspelt one most likely means. */
export function closest(name: string, known: readonly string[]): string | undefined {
  const ranked = known.map((other) => ({ other, d: distance(name, other) })).sort((a, b) => a.d - b.d);
  return ranked[0] !== undefined && ranked[0].d <= 3 ? ranked[0].other : undefined;
}

function keysAt(schema: z.ZodObject, path: Path): string[] {
  let at: unknown = schema;
  for (const part of path) {
    if (at instanceof z.ZodOptional) at = at.unwrap();
    if (at instanceof z.ZodArray) {
      at = at.element;
      continue;
    }
    at = at instanceof z.ZodObject ? (at.shape as Record<PropertyKey, unknown>)[part] : undefined;
  }
  if (at instanceof z.ZodOptional) at = at.unwrap();
  return at instanceof z.ZodObject ? Object.keys(at.shape) : [];
}

function valueAt(input: unknown, path: Path): { found: unknown; present: boolean } {
  let found = input;
  for (const part of path) {
    if (typeof found !== "object" || found === null || !Object.hasOwn(found, part)) {
      return { found: undefined, present: false };
    }
    found = (found as Record<PropertyKey, unknown>)[part];
  }
  return { found, present: true };
}

/** Levenshtein distance, for short keys only. */
function distance(a: string, b: string): number {
  if (Math.abs(a.length - b.length) > 3) return 4;
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const replaced = row[j - 1]! + (a[i - 1]!.toLowerCase() === b[j - 1]!.toLowerCase() ? 0 : 1);
      next.push(Math.min(replaced, row[j]! + 1, next[j - 1]! + 1));
    }
    row = next;
  }
  return row[b.length]!;
}
