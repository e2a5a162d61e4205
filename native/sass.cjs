// Which instructions the tensor-core kernels became: out of the library by cuobjdump or, where that is missing, as far as
// nvcc's PTX tells. ptxas translates these instructions of PTX one to one or fails, and tells of spills and of registers
// that are not handed over by itself, so the weaker check leaves little open.
const { execFile, spawnSync } = require("node:child_process");
const fs = require("node:fs");
const path = require("node:path");
const { list } = require("./sources.cjs");
const { findNvcc, findTool, isExecutable } = require("./toolkit.cjs");

const root = path.join(__dirname, "..");

/** Kernels, their targets, and the instructions that they must have there. */
const wanted = [
  {
    kernel: /(tensor_gemm|halo_conv|halo_weight|tensor_weight)_kernel/,
    target: /./,
    sass: ["HMMA", "LDGSTS"],
    ptx: ["mma.sync", "cp.async.cg"],
  },
  {
    kernel: /(halo_group|group_gemm)_kernel/,
    target: /^sm_90a$/,
    sass: ["HGMMA", "USETMAXREG", "UBLKCP", "LDGSTS"],
    ptx: ["wgmma.mma_async", "setmaxnreg", "cp.async.bulk", "cp.async.cg"],
  },
];
/** Local memory: registers that were not enough, or arrays whose index is not known. */
const unwanted = { sass: ["LDL", "STL"], ptx: [] };

const wantedOf = ({ symbol, target }) => wanted.find((w) => w.kernel.test(symbol) && w.target.test(target));

const names = (language) => [...wanted.flatMap((w) => w[language]), ...unwanted[language]];

/** How often each instruction stands in a text, of those that matter. */
function countInstructions(text, language) {
  const counts = {};
  const [before, after] = language === "sass" ? ["\\s", "[.\\s]"] : ["[\\s{]", "[.\\s]"];
  for (const name of new Set(names(language))) {
    const found = text.match(new RegExp(`${before}${name.replaceAll(".", "\\.")}(?=${after})`, "g"));
    if (found) counts[name] = found.length;
  }
  return counts;
}

/**
 * @param {string} sass what `cuobjdump -sass` prints
 * @returns {{symbol: string, target: string, counts: Record<string, number>}[]}
 */
function parseSass(sass) {
  const kernels = [];
  let target = "";
  for (const part of sass.split(/^(?=\s*(?:Function : |arch = ))/m)) {
    target = /^\s*arch = (\S+)/.exec(part)?.[1] ?? target;
    const symbol = /^\s*Function : (\S+)/.exec(part)?.[1];
    if (symbol) kernels.push({ symbol, target, counts: countInstructions(part, "sass") });
  }
  return kernels;
}

/** The same of a PTX file. */
function parsePtx(ptx) {
  const target = /^\.target (\w+)/m.exec(ptx)?.[1] ?? "";
  return ptx.split(/^(?=(?:\.visible |\.weak )?\.entry )/m).flatMap((part) => {
    const symbol = /^(?:\.visible |\.weak )?\.entry (\w+)/.exec(part)?.[1];
    return symbol ? [{ symbol, target, counts: countInstructions(part, "ptx") }] : [];
  });
}

/** Without the part that every run of the compiler draws anew, the name of a file's own namespace. */
function lasting(symbol) {
  const [found, length] = /(\d+)_GLOBAL__N__/.exec(symbol) ?? [];
  if (!found) return symbol;
  const begin = symbol.indexOf(found) + length.length;
  return symbol.slice(0, begin - length.length) + symbol.slice(begin + Number(length));
}

/**
 * @param {{symbol: string, target: string}[]} compiled every kernel that ptxas told of
 * @param {ReturnType<typeof parseSass>} found
 * @param {"sass" | "ptx"} language
 * @returns {string[]} a sentence for every kernel that is not as it should be
 */
function faults(compiled, found, language) {
  const key = ({ symbol, target }) => `${lasting(symbol)} on ${target}`;
  const seen = new Map(found.map((kernel) => [key(kernel), kernel.counts]));
  const unread = compiled
    .filter((kernel) => wantedOf(kernel) && !seen.has(key(kernel)))
    .map((kernel) => `${key(kernel)} is not in the ${language.toUpperCase()}`);
  const wrong = found.flatMap((kernel) => [
    ...(wantedOf(kernel)?.[language] ?? [])
      .filter((name) => !kernel.counts[name])
      .map((name) => `${key(kernel)} has no ${name} instruction`),
    ...unwanted[language]
      .filter((name) => kernel.counts[name])
      .map((name) => `${key(kernel)} has ${kernel.counts[name]} ${name} instructions: local memory`),
  ]);
  return [...unread, ...wrong];
}

/** Of the Python package triton, which carries the tool. */
function ofTriton() {
  const script =
    "import importlib.util as u; s = u.find_spec('triton'); print(s.submodule_search_locations[0] if s else '')";
  const { stdout } = spawnSync(process.env.PYTHON ?? "python3", ["-c", script], { encoding: "utf8" });
  return stdout?.trim() && path.join(stdout.trim(), "backends", "nvidia", "bin", "cuobjdump");
}

/** VOXELSPARK_CUOBJDUMP, else beside nvcc, on PATH, in a toolkit, or in triton; undefined: nowhere. */
function findDisassembler() {
  const { VOXELSPARK_CUOBJDUMP: given } = process.env;
  if (given && !isExecutable(given))
    throw new Error(`VOXELSPARK_CUOBJDUMP is '${given}', which is no program`);
  const nvcc = findNvcc();
  const besideNvcc = nvcc && path.join(path.dirname(fs.realpathSync(nvcc)), "cuobjdump");
  return [given, besideNvcc, findTool("cuobjdump"), ofTriton()].filter(Boolean).find(isExecutable);
}

/** Rejects with what the program said. */
const said = (command, args, env = process.env) =>
  new Promise((resolve, reject) =>
    execFile(command, args, { cwd: root, env, maxBuffer: 2 ** 29 }, (error, out, err) =>
      error ? reject(new Error(`${path.basename(command)} failed: ${err || error.message}`)) : resolve(out),
    ),
  );

/** Disassembles the tensor-core kernels alone: the whole library takes minutes. */
async function readSass(tool, library, compiled) {
  const symbols = [...new Set(compiled.filter(wantedOf).map(({ symbol }) => symbol))];
  if (symbols.length === 0) return [];
  // It starts nvdisasm, which lies beside it.
  const env = { ...process.env, PATH: `${path.dirname(tool)}${path.delimiter}${process.env.PATH ?? ""}` };
  return parseSass(await said(tool, ["-sass", "-fun", symbols.join(","), library], env));
}

/** Sources in which a tensor-core kernel is defined. */
const sourcesOfKernels = () =>
  list("cuda").filter((file) => {
    const defined = fs.readFileSync(path.join(root, file), "utf8").matchAll(/(\w+_kernel)\(/g);
    return [...defined].some(([, name]) => wanted.some((w) => w.kernel.test(name)));
  });

/** Compiles these sources to PTX, for each of the targets, e.g. sm_90a. */
async function readPtx(generated, targets) {
  const found = [];
  for (const target of targets.map((name) => name.replace("sm", "compute")))
    for (const source of sourcesOfKernels()) {
      const flags = ["-std=c++17", "-O3", "--ptx", "-gencode", `arch=${target},code=${target}`];
      const include = ["-I", "native", "-I", generated];
      found.push(...parsePtx(await said(findNvcc() ?? "nvcc", [...flags, ...include, "-o", "-", source])));
    }
  return found;
}

module.exports = { faults, findDisassembler, parsePtx, parseSass, readPtx, readSass, wantedOf };
