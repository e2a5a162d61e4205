// Once before all files of the check; workers inherit the environment.
const fs = require("node:fs");
const os = require("node:os");
const path = require("node:path");
const { build } = require("./build.cjs");

module.exports = async () => {
  process.env.VOXELSPARK_CUDA_LIBRARY = await build();
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), "voxelspark-emulator-"));
  process.env.VOXELSPARK_EMULATOR_CONTROL = path.join(folder, "control-");
  process.on("exit", () => fs.rmSync(folder, { recursive: true, force: true }));
};
