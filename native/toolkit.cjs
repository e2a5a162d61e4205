// Where the CUDA compiler is: CUDACXX, PATH, and where toolkits are usually installed beside it.
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

module.exports = { isExecutable, onPath, findTool, findNvcc };
