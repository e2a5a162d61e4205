// What ptxas said when the CUDA backend was built: registers, shared memory and spills of every kernel and target.
//   node native/cuda-report.cjs    after `VOXELSPARK_CUDA=1 node native/install.cjs` from an empty build-cuda/
// Fails where a kernel spills or keeps arrays in local memory, on any warning (C7508: register hand-over ignored, C7510
// to C7518: wgmma in sequence), where registers to hand over are too few, where a target is missing, and where a tensor-core kernel lacks the instructions that it is written
// for, by cuobjdump or, without it, in PTX (see sass.cjs). Shared memory is what ptxas knows: that of tensor-core kernels
// comes with the launch.
const { execFileSync } = require("node:child_process");
const fs = require("node:fs");
const path = require("node:path");
const { faults, findDisassembler, readPtx, readSass, wantedOf } = require("./sass.cjs");
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
    else if (/warning|C7508|serialized/i.test(line)) problems.push(line.trim());
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

// What kLaunchRegisters of cuda_wgmma.cuh says. With fewer, warps that take their share wait forever.
const handsOver = /(halo_group|group_gemm)_kernel/;
const launchRegisters = 168;

function complaints({ kernels, problems }, targets = ["sm_80", "sm_90a"]) {
  const found = [...problems];
  for (const k of kernels) {
    if (k.registers === undefined || k.spills === undefined) found.push(`${k.symbol}: the log is cut off`);
    else if (k.spills || k.stack)
      found.push(`${k.name} on ${k.target}: ${k.spills} bytes of spills, ${k.stack} bytes of stack`);
    else if (k.target === "sm_90a" && handsOver.test(k.symbol) && k.registers !== launchRegisters)
      found.push(
        `${k.name} is launched with ${k.registers} registers a thread, to share out are ${launchRegisters}`,
      );
  }
  for (const target of targets)
    if (!kernels.some((k) => k.target === target)) found.push(`no kernel was compiled for ${target}`);
  return found;
}

/** An incremental build tells of what it compiled only. */
function notCompiled(text) {
  return list("cuda")
    .filter((file) => file.endsWith(".cu") && !text.includes(`/${file}.o`))
    .map((file) => `${file} is not in the log: remove build-cuda/ and build again`);
}

/** Whether tensor-core kernels have their instructions; a sentence for each that has not. */
async function lackingInstructions(kernels, targets) {
  const compiled = kernels.filter(wantedOf);
  const tool = findDisassembler();
  const language = tool ? "sass" : "ptx";
  // sm_86 and sm_89 are compiled from what differs from sm_80 in nothing but the name.
  const own = targets.filter((t) => t === "sm_80" || t === "sm_90a");
  const generated = path.join(__dirname, "..", "build-cuda", "generated");
  const read = tool ? await readSass(tool, library, compiled) : await readPtx(generated, own);
  console.log(
    tool
      ? `\ninstructions of ${compiled.length} tensor-core kernels, by ${tool}`
      : "\nSASS is not checked: cuobjdump is missing (VOXELSPARK_CUOBJDUMP names it). In PTX, tensor-core kernels have",
  );
  const name = new Map(kernels.map((k) => [k.symbol, k.name]));
  for (const { symbol, target, counts } of read.filter(wantedOf)) {
    const row = Object.entries(counts).map(([instruction, count]) => `${instruction} ${count}`);
    console.log(
      `${target.padEnd(6)}  ${(name.get(symbol) ?? demangled([symbol])[0]).padEnd(70)}  ${row.join(", ")}`,
    );
  }
  return faults(tool ? compiled : compiled.filter((k) => own.includes(k.target)), read, language);
}

async function main() {
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
  const found = [
    ...complaints(report, targets),
    ...notCompiled(text),
    ...(await lackingInstructions(report.kernels, targets)),
  ];
  for (const sentence of found) console.error(sentence);
  console.log(
    found.length ? `${found.length} complaints` : `${report.kernels.length} kernels, no spills, no warnings`,
  );
  return found.length ? 1 : 0;
}

module.exports = { parse, complaints };
if (require.main === module)
  main().then(
    (code) => {
      process.exitCode = code;
    },
    (error) => {
      console.error(error.message);
      process.exitCode = 1;
    },
  );
