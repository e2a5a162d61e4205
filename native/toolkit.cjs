// Where the CUDA compiler is: CUDACXX, PATH, and where toolkits are usually installed beside it.
const { spawnSync } = require("node:child_process");
const fs = require("node:fs");
const path = require("node:path");

function isExecutable(file) {
  try {
    fs.accessSync(file, fs.constants.X_OK);
    return fs.statSync(file).isFile();
  } catch {
    return false;
  }
}

function onPath(command) {
  const folders = path.isAbsolute(command) ? [""] : (process.env.PATH ?? "").split(path.delimiter);
  return folders.some((folder) => isExecutable(path.join(folder, command)));
}

/** A tool of the toolkit, e.g. nvcc; undefined where there is none. */
function findTool(name) {
  const { CUDA_HOME, CUDA_PATH, PATH = "" } = process.env;
  const homes = [CUDA_HOME, CUDA_PATH, "/usr/local/cuda", "/opt/cuda"].filter(Boolean);
  const folders = [...PATH.split(path.delimiter), ...homes.map((home) => path.join(home, "bin"))];
  return folders.map((folder) => path.join(folder, name)).find(isExecutable);
}

const findNvcc = () => [process.env.CUDACXX].filter(Boolean).find(isExecutable) ?? findTool("nvcc");

/** Of the toolkit, e.g. 12.4; undefined where nvcc does not say. */
function releaseOf(nvcc) {
  const { stdout } = spawnSync(nvcc, ["--version"], { encoding: "utf8", timeout: 20_000 });
  return /release (\d+\.\d+)/.exec(stdout ?? "")?.[1];
}

module.exports = { isExecutable, onPath, findTool, findNvcc, releaseOf };
