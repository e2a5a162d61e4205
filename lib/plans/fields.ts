/** Building blocks of a plan's schema: every field carries the sentence part that says what it allows. */
import { z } from "zod";

export const whole = (low: number, high: number) => {
  const error = `must be a whole number from ${low} to ${high}`;
  return z.number({ error }).int({ error }).min(low, { error }).max(high, { error });
};

export const real = (low: number, high: number) => {
  const error = `must be a number from ${low} to ${high}`;
  return z.number({ error }).min(low, { error }).max(high, { error });
};

/** A number strictly between two bounds. */
export const between = (low: number, high: number) => {
  const error = `must be a number above ${low} and below ${high}`;
  return z.number({ error }).gt(low, { error }).lt(high, { error });
};

export const flag = () => z.boolean({ error: "must be true or false" });

export const oneOf = <const T extends readonly [string, ...string[]]>(...values: T) =>
  z.enum(values, { error: `must be ${values.map((v) => JSON.stringify(v)).join(" or ")}` });

export const text = (maxLength: number) => {
  const error = `must be a text of 1 to ${maxLength} characters`;
  return z.string({ error }).min(1, { error }).max(maxLength, { error });
};

export const list = <T extends z.ZodType>(item: T, low: number, high: number, what: string) => {
  const error = `must be a list of ${low} to ${high} ${what}`;
  return z.array(item, { error }).min(low, { error }).max(high, { error });
};

export const triple = <T extends z.ZodType>(item: T, what: string) =>
  z.tuple([item, item, item], { error: `must be a list of three ${what} [z, y, x]` });

/** The schema with every field of every nested object optional: what a user may write. */
export function partially<T extends z.ZodObject>(schema: T): z.ZodObject {
  const shape: Record<string, z.ZodType> = {};
  for (const [key, field] of Object.entries(schema.shape)) {
    shape[key] = (field instanceof z.ZodObject ? partially(field) : (field as z.ZodType)).optional();
  }
  return z.strictObject(shape, { error: "must be an object" });
}
