/**
 * Ownership of intermediates. Everything made inside `scope(() => …)` belongs to it and is freed on its exit, an
 * exception included, except what is returned, which passes to the enclosing scope. Garbage collection never frees:
 * finalizers do not run inside synchronous code, and a training step is synchronous.
 */

import { ArgumentTypeError } from "./errors";

/** What a scope frees. */
export interface Owned {
  dispose(): void;
}

const scopes: Set<Owned>[] = [];

/** @internal Gives a new resource to the innermost scope. */
export function track(resource: Owned): void {
  scopes.at(-1)?.add(resource);
}

/**
 * Takes a resource out of every scope: from now on the caller disposes it. Modules do so with their parameters.
 * @returns the resource itself
 */
export function keep<T extends Owned>(resource: T): T {
  for (const scope of scopes) scope.delete(resource);
  return resource;
}

function isOwned(value: object): value is Owned {
  return typeof (value as Partial<Owned>).dispose === "function";
}

/** Resources in a returned value: itself, or inside arrays, maps and plain objects. */
function collect(value: unknown, found: Set<Owned>): void {
  if (typeof value !== "object" || value === null) return;
  if (isOwned(value)) found.add(value);
  else if (Array.isArray(value)) for (const v of value) collect(v, found);
  else if (value instanceof Map) for (const v of value.values()) collect(v, found);
  else if (Object.getPrototypeOf(value) === Object.prototype)
    for (const v of Object.values(value)) collect(v, found);
}

/**
 * @internal Opens a scope that the returned function closes: everything but the survivors is freed. Scopes close in
 * the reverse order of their opening.
 */
export function openScope(): (survivors?: ReadonlySet<object>) => void {
  const own = new Set<Owned>();
  scopes.push(own);
  return (survivors = new Set()) => {
    scopes.pop();
    for (const resource of own) {
      if (survivors.has(resource)) track(resource);
      else resource.dispose();
    }
  };
}

/**
 * Runs `body` and frees every tensor and mask made in it, except those in the value that it returns.
 *
 * @param body synchronous; a Promise as result is refused, since the scope would end before the work
 * @throws ArgumentTypeError when body returns a Promise
 */
export function scope<T>(body: () => T): T {
  const close = openScope();
  let survivors = new Set<Owned>();
  try {
    const result = body();
    if (typeof (result as PromiseLike<unknown> | undefined)?.then === "function")
      throw new ArgumentTypeError("scope() takes a synchronous function; await outside of it");
    const returned = new Set<Owned>();
    collect(result, returned);
    survivors = returned;
    return result;
  } finally {
    close(survivors);
  }
}
