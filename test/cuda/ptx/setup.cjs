// Once before all files of the check; workers inherit the environment.
const fs = require("node:fs");
const os = require("node:os");
const path = require("node:path");
const { build, buildDriver } = require("./build.cjs");

module.exports = async () => {
  process.env.VOXELSPARK_CUDA_LIBRARY = await build();
  process.env.VOXELSPARK_PTX_DRIVER = await buildDriver();
  process.env.VOXELSPARK_EMULATOR_CAPABILITY = "90";
  process.env.VOXELSPARK_CUDA_SEGMENT = "1"; // every tensor is an allocation of its own, whose ends are watched
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), "voxelspark-ptx-"));
  process.env.VOXELSPARK_EMULATOR_CONTROL = path.join(folder, "control-");
  process.on("exit", () => fs.rmSync(folder, { recursive: true, force: true }));
};
