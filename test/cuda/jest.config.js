// `npm run check:cuda`: the CUDA kernels under the emulator.
module.exports = {
  ...require("../../jest.config.js"),
  rootDir: "../..",
  testMatch: ["<rootDir>/test/cuda/*.check.ts"],
  globalSetup: "<rootDir>/test/cuda/setup.cjs",
  testTimeout: 300000,
};
