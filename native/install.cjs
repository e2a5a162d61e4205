// Builds the native backends where they are missing or older than their sources. Run by `npm install`.
//
//   probe → build the CPU addon (node-gyp) → build the CUDA shared object (cmake-js) → probe
//
// Nothing is downloaded where Node's own headers are installed beside it, as its archives and images do.
// VOXELSPARK_CUDA=1 makes a CUDA build that fails an error, VOXELSPARK_CUDA=off leaves it out, VOXELSPARK_CUDA_ARCH
// names the GPUs to compile for (see architectures.cjs), VOXELSPARK_SKIP_BUILD=1 builds nothing.
const { spawn, spawnSync } = require("node:child_process");
const fs = require("node:fs");
const os = require("node:os");
const path = require("node:path");
const readline = require("node:readline");
const { architectures, forCMake } = require("./architectures.cjs");
const { fingerprint, list } = require("./sources.cjs");
const { findNvcc, onPath, releaseOf } = require("./toolkit.cjs");

const root = path.join(__dirname, "..");
const addon = path.join(root, "build", "Release", "voxelspark.node");
const cudaLibrary = path.join(root, "build-cuda", "Release", "voxelspark_cuda.so");
const cpuStamp = path.join(root, "build", "sources.sha256");
const cudaStamp = path.join(root, "build-cuda", "sources.sha256");
const cudaTargets = path.join(root, "build-cuda", "architectures");
const failureLines = 40;
const oldestToolkit = 12; // that compiles for sm_90a and has the graphs' functions as they are called here

const say = (line) => console.log(`voxelspark: ${line}`);

class BuildFailure extends Error {}

async function main() {
  const { VOXELSPARK_CUDA: cuda = "", VOXELSPARK_SKIP_BUILD: skip = "" } = process.env;
  if (!["", "0", "1", "off"].includes(cuda))
    throw new BuildFailure(`VOXELSPARK_CUDA is '${cuda}', allowed are 1 (required) and off`);
  if (skip === "1") {
    say("VOXELSPARK_SKIP_BUILD=1: nothing is built; `npm rebuild voxelspark` builds later");
    return;
  }
  await buildAll(cuda);
}

async function buildAll(cuda) {
  const began = Date.now();
  const worked = [await buildCpu(), await buildCudaIfWanted(cuda)].includes(true);
  const state = probe();
  if (!state.loads) throw new BuildFailure(`the addon was built but does not load: ${state.why}`);
  say(`${worked ? `ready after ${seconds(began)}` : "already built"}: CPU ${state.isa}, CUDA ${state.cuda}`);
}

// Loads the addon in a process of its own: a broken one must not take the installation down with it.
function probe() {
  const script = `
    const addon = require(process.argv[1]);
    if (require("node:fs").existsSync(process.argv[2])) addon.configure({ cudaLibrary: process.argv[2] });
    const { isa, cuda } = addon.info();
    console.log(JSON.stringify({ isa, cuda: cuda.deviceCount ? cuda.devices.join(", ") : "none (" + cuda.reason + ")" }));`;
  const child = spawnSync(process.execPath, ["-e", script, addon, cudaLibrary], { encoding: "utf8" });
  if (child.status === 0) return { loads: true, ...JSON.parse(child.stdout.trim().split("\n").at(-1)) };
  const why = child.signal ? `the process died of ${child.signal}` : lastLines(child.stderr, 5);
  return { loads: false, why };
}

function isCurrent(product, stamp, sources) {
  return (
    fs.existsSync(product) && fs.existsSync(stamp) && fs.readFileSync(stamp, "utf8") === fingerprint(sources)
  );
}

async function buildCpu() {
  if (isCurrent(addon, cpuStamp, "cpu") && probe().loads) return false;
  const sources = fingerprint("cpu"); // before the build: an edit during it must not pass as built
  requireTools();
  const headers = findHeaders();
  const gyp = process.env.npm_config_node_gyp || require.resolve("node-gyp/bin/node-gyp.js");
  // `configure` lists the sources anew; `build` compiles only what changed.
  const args = [gyp, "configure", "build", "--jobs", String(jobs()), "--release"];
  if (headers) args.push(`--nodedir=${headers}`);
  await phase(`building the CPU backend (node-gyp, headers of ${headers ?? "nodejs.org"})`, args);
  fs.writeFileSync(cpuStamp, sources);
  return true;
}

/** @returns {Promise<boolean>} whether something was built */
async function buildCudaIfWanted(wish) {
  if (wish === "off" || wish === "0") {
    fs.rmSync(path.join(root, "build-cuda"), { recursive: true, force: true });
    return false;
  }
  const targets = chosenArchitectures().join("\n");
  const sameTargets = fs.existsSync(cudaTargets) && fs.readFileSync(cudaTargets, "utf8") === targets;
  if (sameTargets && isCurrent(cudaLibrary, cudaStamp, "cuda")) return false;
  fs.rmSync(cudaLibrary, { force: true }); // one of other sources must never be loaded
  const nvcc = findNvcc();
  const missing = [nvcc ? undefined : "nvcc", onPath("cmake") ? undefined : "cmake"].filter(Boolean);
  if (missing.length && wish === "1")
    throw new BuildFailure(`VOXELSPARK_CUDA=1, but ${missing.join(" and ")} cannot be found`);
  if (missing.length) return false;
  const sources = fingerprint("cuda");
  try {
    requireToolkit(nvcc);
    await compileCuda(nvcc, targets.split("\n"), sameTargets);
    fs.writeFileSync(cudaStamp, sources);
    fs.writeFileSync(cudaTargets, targets);
    return true;
  } catch (error) {
    if (!(error instanceof BuildFailure) || wish === "1") throw error;
    say(`warning: ${error.message}\nvoxelspark: warning: going on without CUDA; the CPU is not affected`);
    return false;
  }
}

function requireToolkit(nvcc) {
  const release = releaseOf(nvcc);
  if (release && Number.parseFloat(release) < oldestToolkit)
    throw new BuildFailure(
      `${nvcc} is of CUDA ${release}, needed is ${oldestToolkit}.0 or newer: set CUDACXX or CUDA_HOME to another toolkit`,
    );
}

function chosenArchitectures() {
  try {
    return architectures();
  } catch (error) {
    throw error instanceof RangeError ? new BuildFailure(error.message) : error;
  }
}

async function compileCuda(nvcc, targets, sameTargets) {
  const folder = path.join(root, "build-cuda");
  // cmake-js hands the targets over when it configures, which it does where there is no cache.
  if (!sameTargets) fs.rmSync(path.join(folder, "CMakeCache.txt"), { force: true });
  const cmakeJs = require.resolve("cmake-js/bin/cmake-js");
  const chosen = `--CDCMAKE_CUDA_ARCHITECTURES=${forCMake(targets)}`;
  const args = [cmakeJs, "compile", "-d", root, "-O", folder, "-p", String(jobs()), chosen];
  // What the compilers say of one file stays together, for native/cuda-report.cjs.
  const env = { CUDACXX: nvcc, MAKEFLAGS: "--output-sync=target" };
  const names = targets.map((name) => `sm_${name}`).join(", ");
  const said = await phase(
    `building the CUDA backend for ${names} (cmake-js, ${nvcc})`,
    args,
    env,
    compiledFiles(),
  );
  fs.writeFileSync(path.join(folder, "build.log"), said);
}

/** Says which file was compiled, out of how many. */
function compiledFiles() {
  const all = list("cuda").length;
  let done = 0;
  return (text) => {
    for (const [, file] of text.matchAll(/Building \w+ object \S*?\.dir\/(\S+)\.o/g)) {
      done++;
      say(`  ${done} of ${all}: ${file}`);
    }
  };
}

// Compilers of templates take up to about 1 GB each.
function jobs() {
  return Math.max(1, Math.min(os.availableParallelism(), Math.floor(os.totalmem() / 2 ** 30)));
}

// npm shows nothing of a build that succeeds, so only a failure's end is printed. Resolves to the output.
function phase(title, args, env = {}, progress = () => {}) {
  say(`${title} ...`);
  const began = Date.now();
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, args, { cwd: root, env: { ...process.env, ...env } });
    let output = "";
    const collect = (chunk) => {
      output = (output + chunk).slice(-8_000_000);
    };
    child.stdout.on("data", collect);
    readline.createInterface({ input: child.stdout }).on("line", progress);
    child.stderr.on("data", collect);
    child.on("error", (error) => reject(new BuildFailure(`${title} failed: ${error.message}`)));
    child.on("close", (code) => {
      if (code === 0) {
        say(`... done in ${seconds(began)}`);
        resolve(output);
      } else {
        const end = lastLines(output, failureLines);
        reject(
          new BuildFailure(
            `${title} failed after ${seconds(began)}; its last ${failureLines} lines:\n${end}`,
          ),
        );
      }
    });
  });
}

const seconds = (began) => `${((Date.now() - began) / 1000).toFixed(1)} s`;
const lastLines = (text, n) => text.trimEnd().split("\n").slice(-n).join("\n");

function requireTools() {
  const missing = [
    [process.env.CXX ?? "g++", "g++"],
    ["make", "make"],
    [process.env.npm_config_python ?? process.env.PYTHON ?? "python3", "python3"],
  ].filter(([command]) => !onPath(command.split(" ")[0]));
  if (missing.length)
    throw new BuildFailure(
      `cannot build without ${missing.map(([command]) => command).join(", ")}; on Debian or Ubuntu run: ` +
        "sudo apt-get install -y g++ make python3",
    );
}

// The folder above include/node of an installation of this Node's major version.
function findHeaders() {
  const major = process.versions.node.split(".")[0];
  const beside = path.resolve(fs.realpathSync(process.execPath), "..", "..");
  return [process.env.npm_config_nodedir, beside, "/usr", "/usr/local"].filter(Boolean).find((prefix) => {
    const folder = path.join(prefix, "include", "node");
    if (!["node_api.h", "common.gypi", "node_version.h"].every((f) => fs.existsSync(path.join(folder, f))))
      return false;
    const version = fs.readFileSync(path.join(folder, "node_version.h"), "utf8");
    return /#define NODE_MAJOR_VERSION (\d+)/.exec(version)?.[1] === major;
  });
}

main().catch((error) => {
  if (!(error instanceof BuildFailure)) throw error;
  console.error(`voxelspark: ${error.message}`);
  process.exitCode = 1;
});
