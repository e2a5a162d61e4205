// Builds the CUDA backend for the machine that executes PTX: native/ compiled by nvcc, with PTX and no code of a device
// in it, linked with the machine instead of CUDA's runtime.   node test/cuda/ptx/build.cjs
const fs = require("node:fs");
const path = require("node:path");
const { list } = require("../../../native/sources.cjs");
const { findNvcc } = require("../../../native/toolkit.cjs");
const { compileAll, filesIn, hashOf, replaced, root, run, runBuild } = require("../objects.cjs");

const output = path.join(root, "build-cuda", "ptx");
const emulator = path.join(__dirname, "../emulator");
/** Of the emulator: streams, graphs, memory, and what tests steer. */
const borrowed = ["closed.cc", "control.cc", "launches.cc", "memory.cc", "runtime.cc", "streams.cc"].map(
  (f) => `test/cuda/emulator/${f}`,
);
const machineFlags = [
  "-std=c++17",
  "-O3",
  "-march=native",
  "-ffp-contract=off",
  "-g1",
  "-fPIC",
  "-fvisibility=hidden",
  "-Wall",
];
// Of what it says of a device and of kernels device.cc makes CUDA's own structs.
const renamed = ["cudaGetDeviceProperties", "cudaFuncGetAttributes"].map((f) => `-D${f}=emulated_${f}`);

function nvccOrError() {
  const nvcc = findNvcc();
  if (!nvcc) throw new Error("nvcc is missing: the PTX of kernels cannot be made, set CUDACXX or PATH");
  return fs.realpathSync(nvcc);
}

/** Where CUDA's own header lies; of nvcc, which may be a wrapper of the real one. */
function headersOfToolkit() {
  const homes = [
    path.join(path.dirname(nvccOrError()), ".."),
    process.env.CUDA_HOME,
    "/usr/local/cuda",
    "/opt/cuda",
  ];
  const folders = homes.filter(Boolean).map((home) => path.join(home, "include"));
  const found = folders.find((f) => fs.existsSync(path.join(f, "cuda_runtime_api.h")));
  if (!found) throw new Error(`cuda_runtime_api.h is missing, searched ${folders.join(", ")}`);
  return found;
}

/** The parts of the machine as g++ compiles them. */
function machineCommand(source) {
  const flags = [...machineFlags];
  if (source.endsWith("ptx/directed.cc")) flags.push("-frounding-math");
  if (source.endsWith("ptx/device.cc")) flags.push("-I", headersOfToolkit());
  else flags.push("-I", emulator);
  if (source.endsWith("emulator/runtime.cc")) flags.push(...renamed);
  return { compiler: "g++", flags };
}

const kernelFlags = [
  ...["-gencode", "arch=compute_90a,code=compute_90a", "--no-compress", "-std=c++17", "-O3"],
  ...["-Xcompiler", "-fPIC,-fvisibility=hidden"],
];

const own = path.relative(root, __filename);
const isDriver = (f) => f.endsWith("driver.cc");
const sourcesOfMachine = filesIn(__dirname).filter((f) => f.endsWith(".cc"));

function compileMachine(sources) {
  const headers = [...filesIn(__dirname), ...filesIn(emulator)].filter((f) => f.endsWith(".h"));
  return compileAll(sources, { output, shared: hashOf([own, ...headers]), command: machineCommand });
}
const needsToolkit = (f) => f.endsWith("device.cc");
const machine = () => compileMachine([...sourcesOfMachine.filter((f) => !isDriver(f)), ...borrowed]);

/** The program that runs single kernels, see driver.cc: its path. Needs no nvcc. */
async function buildDriver() {
  const driver = path.join(output, "run");
  const objects = await compileMachine([...sourcesOfMachine.filter((f) => !needsToolkit(f)), ...borrowed]);
  await run("g++", ["-o", `${driver}.new`, ...objects]);
  fs.renameSync(`${driver}.new`, driver);
  return driver;
}

/**
 * @param {Record<string, (text: string) => string>} edits planted bugs, by source or header of native/
 * @returns {Promise<string>} the path of the shared object
 */
async function build(name = "backend", edits = {}) {
  const nvcc = nvccOrError();
  const kernels = await compileAll(list("cuda"), {
    output,
    shared: hashOf([own]),
    edits,
    command: (source) =>
      source.endsWith(".cu")
        ? { compiler: nvcc, flags: [...kernelFlags] }
        : { compiler: "g++", flags: ["-std=c++17", "-O2", "-fPIC", "-fvisibility=hidden"] },
  });
  const library = path.join(output, `${name}.so`);
  await run("g++", ["-shared", "-o", library, ...(await machine()), ...kernels]);
  return library;
}

module.exports = { build, buildDriver, replaced };
if (require.main === module) runBuild(build);
