// What ptxas said when the CUDA backend was built: registers, shared memory and spills of every kernel and target.
//   node native/cuda-report.cjs    after `VOXELSPARK_CUDA=1 node native/install.cjs` from an empty build-cuda/
// Fails where a kernel spills or keeps arrays in local memory, on any warning (C7508: register hand-over ignored, C7510:
// wgmma in sequence), where a target is missing and, if the toolkit has cuobjdump, where a tensor-core kernel has no
// tensor-core instruction. Shared memory is what ptxas knows: that of tensor-core kernels comes with the launch.
const { execFileSync } = require("node:child_process");
const fs = require("node:fs");
const path = require("node:path");
const { list } = require("./sources.cjs");

const log = path.join(__dirname, "..", "build-cuda", "build.log");
const library = path.join(__dirname, "..", "build-cuda", "Release", "voxelspark_cuda.so");
const builtFor = path.join(__dirname, "..", "build-cuda", "architectures");

/**
 * ptxas tells of one kernel in four lines: its name and target, a heading, stack and spills, registers and the rest.
 * @param {string} text
 */
function parse(text) {
  const kernels = [];
  const problems = [];
  for (const line of text.split("\n")) {
    const entry = /Compiling entry function '(\S+)' for '(\S+)'/.exec(line);
    const spills = /(\d+) bytes stack frame, (\d+) bytes spill stores, (\d+) bytes spill loads/.exec(line);
    const used = /Used (\d+) registers/.exec(line);
    const last = kernels.at(-1);
    if (entry) kernels.push({ symbol: entry[1], target: entry[2] });
    else if (spills && last)
      Object.assign(last, { stack: Number(spills[1]), spills: Number(spills[2]) + Number(spills[3]) });
    else if (used && last)
      Object.assign(last, {
        registers: Number(used[1]),
        shared: Number(/(\d+) bytes smem/.exec(line)?.[1] ?? 0),
      });
    else if (/warning|C7508|C7510/i.test(line)) problems.push(line.trim());
  }
  return { kernels, problems };
}

/** Readable names, where the tool for it is. */
function demangled(symbols) {
  try {
    const lines = execFileSync("c++filt", { input: symbols.join("\n"), encoding: "utf8" })
      .trimEnd()
      .split("\n");
    return lines.map((name) =>
      name.replace(/voxelspark::|\(anonymous namespace\)::|^void /g, "").replace(/\(.*/, ""),
    );
  } catch {
    return symbols;
  }
}

function complaints({ kernels, problems }, targets = ["sm_80", "sm_90a"]) {
  const found = [...problems];
  for (const k of kernels) {
    if (k.registers === undefined || k.spills === undefined) found.push(`${k.symbol}: the log is cut off`);
    else if (k.spills || k.stack)
      found.push(`${k.name} on ${k.target}: ${k.spills} bytes of spills, ${k.stack} bytes of stack`);
  }
  for (const target of targets)
    if (!kernels.some((k) => k.target === target)) found.push(`no kernel was compiled for ${target}`);
  return found;
}

/** Kernels and the instruction of tensor cores that they must have. */
const tensorCores = [
  { kernel: /(tensor_gemm|halo_conv|halo_weight|tensor_weight)_kernel/, target: /./, instruction: "HMMA" },
  { kernel: /halo_group_kernel/, target: /^sm_90a$/, instruction: "HGMMA" },
];

/**
 * @param {string} sass what `cuobjdump -sass` prints
 * @returns {string[]} a sentence for every kernel without its instruction
 */
function withoutTensorCores(sass) {
  const found = [];
  let target = "";
  for (const part of sass.split(/^(?=\s*(?:Function : |arch = ))/m)) {
    target = /^\s*arch = (\S+)/.exec(part)?.[1] ?? target;
    const symbol = /^\s*Function : (\S+)/.exec(part)?.[1];
    for (const wanted of tensorCores)
      if (symbol && wanted.kernel.test(symbol) && wanted.target.test(target))
        if (!new RegExp(`\\b${wanted.instruction}\\.`).test(part))
          found.push(`${symbol} on ${target} has no ${wanted.instruction} instruction`);
  }
  return found;
}

/** Of the shared object; undefined without cuobjdump, beside nvcc or on PATH. */
function disassembled() {
  const { CUDA_HOME = "/usr/local/cuda", CUDACXX } = process.env;
  const folders = [CUDACXX && path.dirname(CUDACXX), path.join(CUDA_HOME, "bin")].filter(Boolean);
  for (const tool of [...folders.map((folder) => path.join(folder, "cuobjdump")), "cuobjdump"])
    try {
      return execFileSync(tool, ["-sass", library], { encoding: "utf8", maxBuffer: 2 ** 30 });
    } catch (error) {
      if (error.code !== "ENOENT") throw error;
    }
  return undefined;
}

/** An incremental build tells of what it compiled only. */
function notCompiled(text) {
  return list("cuda")
    .filter((file) => file.endsWith(".cu") && !text.includes(`/${file}.o`))
    .map((file) => `${file} is not in the log: remove build-cuda/ and build again`);
}

function main() {
  if (!fs.existsSync(log)) {
    console.error(`${log} is missing: run \`VOXELSPARK_CUDA=1 node native/install.cjs\` first`);
    return 1;
  }
  const text = fs.readFileSync(log, "utf8");
  const report = parse(text);
  const names = demangled(report.kernels.map((k) => k.symbol));
  report.kernels.forEach((k, i) => {
    k.name = names[i];
  });
  console.log("registers  shared  spills  target  kernel");
  for (const k of report.kernels)
    console.log(
      `${String(k.registers).padStart(9)}  ${String(k.shared).padStart(6)}  ${String(k.spills).padStart(6)}  ` +
        `${k.target.padEnd(6)}  ${k.name}`,
    );
  const targets = fs
    .readFileSync(builtFor, "utf8")
    .split("\n")
    .map((name) => `sm_${name}`);
  const sass = disassembled();
  if (sass === undefined) console.log("cuobjdump is missing: tensor-core instructions are not checked");
  const found = [...complaints(report, targets), ...notCompiled(text), ...withoutTensorCores(sass ?? "")];
  for (const sentence of found) console.error(sentence);
  console.log(
    found.length ? `${found.length} complaints` : `${report.kernels.length} kernels, no spills, no warnings`,
  );
  return found.length ? 1 : 0;
}

module.exports = { parse, complaints, withoutTensorCores };
if (require.main === module) process.exitCode = main();
