/** What values are: checks for callers without types and for parsed JSON. Numbers and shapes are native code's to check. */
import { ArgumentTypeError } from "./errors";

/** Typed arrays of what a tensor can hold. */
export type NumberArray =
  | Float32Array
  | Float64Array
  | Int8Array
  | Uint8Array
  | Uint8ClampedArray
  | Int16Array
  | Uint16Array
  | Int32Array
  | Uint32Array;

/** What a value is, for messages: "null", "an array", "a number". */
export function kindOf(value: unknown): string {
  if (value === undefined || value === null) return String(value);
  if (Array.isArray(value)) return "an array";
  return typeof value === "object" ? "an object" : `a ${typeof value}`;
}

/** A value in a message: short JSON, "nothing" for undefined; what is long is cut. */
export function shown(value: unknown): string {
  if (value === undefined) return "nothing";
  let text: string | undefined;
  try {
    text = typeof value === "number" || typeof value === "bigint" ? String(value) : JSON.stringify(value);
  } catch {
    // cyclic, or holding a bigint
  }
  text ??= kindOf(value);
  return text.length > 80 ? `${text.slice(0, 77)}...` : text;
}

/** Whether a value has keys of its own: an object, but no array. */
export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** The options as they are. @throws ArgumentTypeError for null and whatever else is no object of options */
export function requireOptions<T extends object>(options: T, name: string): T {
  if (isRecord(options)) return options;
  throw new ArgumentTypeError(`${name} is ${kindOf(options)}, an object is needed`);
}

/** @throws ArgumentTypeError */
export function requireArray(value: unknown, name: string): asserts value is readonly unknown[] {
  if (!Array.isArray(value)) throw new ArgumentTypeError(`${name} is ${kindOf(value)}, an array is needed`);
}
