// `npm run bundle:gpu [-- folder]`: one folder with everything that bench/gpu/check.sh needs on a machine with neither
// Node's packages nor a registry: compiled scripts, the addon built here, sources for nvcc, and what runs need of
// node_modules. Only a Node binary has to come beside it; `--node file` packs one, for NODE_BIN=node.xz.
//
//   npm run bundle:gpu && cd build-gpu && NODE_BIN=… bash bench/gpu/check.sh
const { execFileSync } = require("node:child_process");
const fs = require("node:fs");
const path = require("node:path");
const { parseArgs } = require("node:util");
const { fingerprint, list } = require("../../native/sources.cjs");

const root = path.join(__dirname, "../..");
const LIMIT = 35e6; // bytes, besides Node
// Packages that build the package, or its types.
const buildOnly = new Set(["@types/node", "cmake-js", "node-addon-api", "node-api-headers", "node-gyp"]);
const leftOut = /\.(ts|mts|cts|map|md|markdown|flow)$/i;

const say = (line) => console.log(`bundle: ${line}`);

function* files(folder) {
  for (const entry of fs.readdirSync(folder, { withFileTypes: true })) {
    const file = path.join(folder, entry.name);
    if (entry.isDirectory()) yield* files(file);
    else yield file;
  }
}

const copy = (from, to, filter = () => true) =>
  fs.cpSync(from, to, { recursive: true, dereference: true, filter });

/** The scripts as JavaScript, in place of their sources, so that every relative path stays right. */
function compile(folder) {
  const tsc = require.resolve("typescript/bin/tsc");
  const args = [tsc, "-p", path.join(__dirname, "tsconfig.json"), "--outDir", folder];
  execFileSync(process.execPath, args, { cwd: root, stdio: "inherit" });
}

/** A package and everything that it needs when it runs. */
function addPackage(name, from, folder, done) {
  if (done.has(name) || buildOnly.has(name)) return;
  done.add(name);
  const home = [path.join(from, "node_modules", name), path.join(root, "node_modules", name)].find((at) =>
    fs.existsSync(path.join(at, "package.json")),
  );
  if (!home) throw new Error(`${name} is not installed: run npm install`);
  copy(home, path.join(folder, "node_modules", name), (file) => !leftOut.test(file));
  const { dependencies = {} } = JSON.parse(fs.readFileSync(path.join(home, "package.json"), "utf8"));
  for (const next of Object.keys(dependencies)) addPackage(next, home, folder, done);
}

const isCurrent = (backend, stamp) =>
  fs.existsSync(stamp) && fs.readFileSync(stamp, "utf8") === fingerprint(backend);

/** The addon, and the CUDA object where one was built, for a machine on which nvcc fails. */
function backends(folder) {
  if (!isCurrent("cpu", path.join(root, "build/sources.sha256")))
    throw new Error("the addon is older than its sources: run `node native/install.cjs`");
  copy(path.join(root, "build/Release/voxelspark.node"), path.join(folder, "build/Release/voxelspark.node"));
  const library = "build-cuda/Release/voxelspark_cuda.so";
  if (isCurrent("cuda", path.join(root, "build-cuda/sources.sha256")))
    copy(path.join(root, library), path.join(folder, library));
  else say("no current CUDA object comes along: nvcc on the other machine has to build one");
}

function sources(folder) {
  // Everything under native/: the fingerprint by which addon and CUDA object know each other is taken of all headers.
  copy(path.join(root, "native"), path.join(folder, "native"));
  for (const file of ["bench/gpu/check.sh", "LICENSE", "package.json"])
    copy(path.join(root, file), path.join(folder, file));
  copy(path.join(root, "bench/gpu/micro"), path.join(folder, "bench/gpu/micro"));
  copy(
    path.join(root, "bench/peers"),
    path.join(folder, "bench/peers"),
    (file) => !/\.ts$|__pycache__/.test(file),
  );
}

function main() {
  const { values, positionals } = parseArgs({
    options: { node: { type: "string" } },
    allowPositionals: true,
  });
  if (process.platform !== "linux" || process.arch !== "x64")
    throw new Error(`a bundle is made on linux-x64, this is ${process.platform}-${process.arch}`);
  const folder = path.resolve(positionals[0] ?? path.join(root, "build-gpu"));
  fs.rmSync(folder, { recursive: true, force: true });
  fs.mkdirSync(folder, { recursive: true });
  compile(folder);
  backends(folder);
  sources(folder);
  const done = new Set();
  const { dependencies } = JSON.parse(fs.readFileSync(path.join(root, "package.json"), "utf8"));
  for (const name of Object.keys(dependencies)) addPackage(name, root, folder, done);
  const bytes = [...files(folder)].reduce((sum, file) => sum + fs.statSync(file).size, 0);
  say(
    `${(bytes / 1e6).toFixed(1)} MB in ${folder}: ${list("cuda").length} CUDA sources, ${done.size} packages`,
  );
  if (bytes > LIMIT)
    throw new Error(
      `the bundle has ${bytes} bytes, allowed are ${LIMIT}: compile for fewer devices, e.g. VOXELSPARK_CUDA_ARCH=90a node native/install.cjs`,
    );
  if (values.node) {
    const packed = path.join(folder, "node.xz");
    fs.writeFileSync(packed, execFileSync("xz", ["-9", "-T0", "-c", values.node], { maxBuffer: 2 ** 28 }));
    say(`Node besides: ${(fs.statSync(packed).size / 1e6).toFixed(1)} MB, NODE_BIN=node.xz`);
  }
}

try {
  main();
} catch (error) {
  say(error.message);
  process.exitCode = 1;
}
