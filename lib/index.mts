/** The entry for `import`: the same objects as `require` gives, so that a Tensor is one class for both. */
export * from "./index.js";
