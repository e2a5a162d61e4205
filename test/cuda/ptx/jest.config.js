// `npm run check:ptx`: the PTX that nvcc makes of the CUDA kernels, executed by the machine of this folder.
module.exports = {
  ...require("../../../jest.config.js"),
  rootDir: "../../..",
  testMatch: ["<rootDir>/test/cuda/ptx/*.check.ts"],
  globalSetup: "<rootDir>/test/cuda/ptx/setup.cjs",
  testTimeout: 300000,
};
