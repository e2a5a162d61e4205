// Builds the CUDA backend for the emulator: the sources of native/, compiled by g++ into a shared object that the addon
// opens in place of the real one.   node test/cuda/build.cjs
const fs = require("node:fs");
const path = require("node:path");
const { list, writeAbi } = require("../../native/sources.cjs");
const { compileAll, filesIn, headersHash, replaced, root, run } = require("./objects.cjs");

const emulator = path.join(__dirname, "emulator");
const output = path.join(root, "build-cuda", "emulated");
const common = [
  "-std=c++17",
  "-O2",
  "-g1",
  "-fPIC",
  "-fvisibility=hidden",
  "-mfma",
  "-ffp-contract=on",
  "-Wall",
];

/**
 * How the backend is built for AddressSanitizer and UndefinedBehaviorSanitizer: every tensor is an allocation of its
 * own, and what sizes are rounded up by is out of bounds (see emulator/guard.h).
 */
const sanitized = {
  flags: [
    "-O1",
    "-g",
    "-fsanitize=address,undefined",
    "-fno-sanitize-recover=undefined",
    "-fno-sanitize=vptr",
  ],
  edits: {
    "native/device/cuda_device.cu": replaced("kSegment = int64_t{256} << 20", "kSegment = 1"),
    "native/ops/cuda_registry.cu": (text) =>
      `#include "guard.h"\n${replaced(
        "return reinterpret_cast<void*>(name##_cuda);",
        "return name##_cuda ? reinterpret_cast<void*>(emulator::guarded<name##_cuda>) : nullptr;",
      )(text)}`,
  },
};

/**
 * @param {Record<string, (text: string) => string>} edits planted bugs, by source or header: they change its text
 * @param {string[]} more compiler flags
 * @returns {Promise<string>} the path of the shared object
 */
async function build(name = "backend", edits = {}, more = []) {
  fs.mkdirSync(output, { recursive: true });
  const shared = headersHash([...filesIn(emulator), path.relative(root, __filename)]);
  const abi = path.join(output, `abi-${shared.slice(0, 16)}`);
  fs.mkdirSync(abi, { recursive: true });
  writeAbi(path.join(abi, "voxelspark_abi.h"));
  const sources = [...list("cuda"), ...filesIn(emulator).filter((f) => f.endsWith(".cc"))];
  const flags = [...common, ...more, "-I", emulator, "-I", abi];
  const objects = await compileAll(sources, {
    output,
    shared,
    edits,
    command: () => ({ compiler: "g++", flags }),
  });
  const library = path.join(output, `${name}.so`);
  await run("g++", ["-shared", ...more, "-o", library, ...objects]);
  return library;
}

module.exports = { build, replaced, sanitized };
if (require.main === module)
  build().then(
    (library) => console.log(`built ${path.relative(root, library)}`),
    (error) => {
      console.error(error.message);
      process.exitCode = 1;
    },
  );
