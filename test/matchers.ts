/** Asymmetric matcher for numbers within tables: `expect.toBeAtMost(limit)`; NaN never matches. */
expect.extend({
  toBeAtMost(found: number, limit: number) {
    return { pass: found <= limit, message: () => `${found} is above ${limit}` };
  },
});

/** Arrays of the same bytes are equal at once; jest's own comparison, element by element, is for those that differ. */
expect.addEqualityTesters([
  (a, b) => {
    if (!ArrayBuffer.isView(a) || !ArrayBuffer.isView(b) || a.constructor !== b.constructor) return undefined;
    return bytesOf(a).equals(bytesOf(b)) || undefined;
  },
]);

const bytesOf = (view: ArrayBufferView) => Buffer.from(view.buffer, view.byteOffset, view.byteLength);

declare global {
  namespace jest {
    interface Expect {
      toBeAtMost(limit: number): unknown;
      /** Of jest, missing in its types: `true` and `false` decide, `undefined` leaves it to the next. */
      addEqualityTesters(testers: ((a: unknown, b: unknown) => boolean | undefined)[]): void;
    }
  }
}

export {};
