// `npm run test:pack`: longer than the tests of `npm test`, since it packs, installs and builds.
module.exports = {
  ...require("../../jest.config.js"),
  rootDir: "../..",
  testMatch: ["<rootDir>/test/pack/*.pack.ts"],
  testTimeout: 600000,
};
