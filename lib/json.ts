/**
 * JSON as strict as the files of this package need it: `JSON.parse` keeps the last of two equal keys, lets
 * "__proto__" through and reads 1e2 as an integer; a damaged or hostile file must not profit from that.
 */

/** What is wrong with a JSON text; callers turn it into their own error with the file's name. */
export class JsonError extends Error {
  override readonly name = "JsonError";
}

export interface JsonRules {
  /** Deepest nesting allowed. */
  maxDepth?: number;
  /** Refuse numbers with a fraction or an exponent. */
  integersOnly?: boolean;
}

/** Parses bytes or text; throws JsonError on anything that is not one plain JSON value. */
export function parseJson(input: string | Uint8Array, rules: JsonRules = {}): unknown {
  const text = typeof input === "string" ? input : decodeUtf8(input);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new JsonError(`not valid JSON: ${(error as Error).message}`);
  }
  scan(text, rules.maxDepth ?? 64, rules.integersOnly ?? false);
  return value;
}

function decodeUtf8(bytes: Uint8Array): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    throw new JsonError("not valid UTF-8");
  }
}

const QUOTE = 34;
const BACKSLASH = 92;
const NOT_AN_INTEGER = /[.eE]|^-0$/;

/** One pass over a text that is known to be JSON: depth, duplicate keys, forbidden keys, number spelling. */
function scan(text: string, maxDepth: number, integersOnly: boolean): void {
  const open: (Set<string> | undefined)[] = []; // one entry an open bracket; a set for objects
  let lastString: string | undefined; // the string just read: a key if ":" follows
  let at = 0;
  while (at < text.length) {
    const code = text.charCodeAt(at);
    if (code === QUOTE) {
      const end = endOfString(text, at);
      lastString = text.slice(at, end);
      at = end;
      continue;
    }
    if (code === 58 /* : */) addKey(open[open.length - 1]!, lastString!, at);
    else if (code === 123 /* { */ || code === 91 /* [ */) {
      open.push(code === 123 ? new Set() : undefined);
      if (open.length > maxDepth) throw new JsonError(`nested deeper than the ${maxDepth} levels allowed`);
    } else if (code === 125 /* } */ || code === 93 /* ] */) open.pop();
    else if (integersOnly && (code === 45 /* - */ || (code >= 48 && code <= 57))) {
      const number = /^[-+.eE0-9]+/.exec(text.slice(at, at + 64))![0];
      if (NOT_AN_INTEGER.test(number))
        throw new JsonError(`${number} at position ${at} is not a whole number`);
      at += number.length;
      continue;
    }
    at++;
  }
}

function endOfString(text: string, start: number): number {
  let at = start + 1;
  for (;;) {
    const code = text.charCodeAt(at);
    if (code === QUOTE) return at + 1;
    at += code === BACKSLASH ? 2 : 1;
  }
}

function addKey(keys: Set<string>, token: string, at: number): void {
  const key = token.includes("\\") ? (JSON.parse(token) as string) : token.slice(1, -1);
  if (key === "__proto__") throw new JsonError(`the key "__proto__" at position ${at} is not allowed`);
  if (keys.has(key)) throw new JsonError(`the key ${JSON.stringify(key)} occurs twice in one object`);
  keys.add(key);
}
