// Test files run side by side and share the cores: a kernel on several threads would mostly wait for one that has none.
// Tests whose subject is threads set their number.
process.env.OMP_NUM_THREADS ??= "1";

/** @type {import('jest').Config} */
module.exports = {
  testEnvironment: "node",
  testMatch: ["<rootDir>/test/**/*.test.ts"],
  transform: {
    "^.+\\.(ts|js|mjs)$": [
      "@swc/jest",
      { jsc: { parser: { syntax: "typescript" }, target: "es2022" }, module: { type: "commonjs" } },
    ],
  },
  // These packages are published as ES modules only; jest's CommonJS runtime gets them transformed.
  transformIgnorePatterns: ["/node_modules/(?!(nifti-reader-js|numcodecs)/)"],
  moduleNameMapper: {
    "^nifti-reader-js$": "<rootDir>/node_modules/nifti-reader-js/dist/nifti.js",
    "^numcodecs/(.*)$": "<rootDir>/node_modules/numcodecs/dist/$1.js",
  },
  setupFilesAfterEnv: ["<rootDir>/test/matchers.ts", "<rootDir>/test/lifetime.ts"],
  maxWorkers: 2,
  testTimeout: 60000,
  // Inside jest's sandbox every use of a global is a slow look-up; handed in as arguments these are fast.
  sandboxInjectedGlobals: ["Math", "Number", "Array", "Object", "Uint8Array", "Float32Array", "Float64Array"],
};
