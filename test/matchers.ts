/** Asymmetric matcher for numbers within tables: `expect.toBeAtMost(limit)`; NaN never matches. */
expect.extend({
  toBeAtMost(found: number, limit: number) {
    return { pass: found <= limit, message: () => `${found} is above ${limit}` };
  },
});

declare global {
  namespace jest {
    interface Expect {
      toBeAtMost(limit: number): unknown;
    }
  }
}

export {};
