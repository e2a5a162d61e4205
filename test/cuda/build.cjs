// Builds the CUDA backend for the emulator: the sources of native/, compiled by g++ into a shared object that the addon
// opens in place of the real one.   node test/cuda/build.cjs
const path = require("node:path");
const { list } = require("../../native/sources.cjs");
const { compileAll, filesIn, hashOf, replaced, root, run, runBuild } = require("./objects.cjs");

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
  const shared = hashOf([
    ...filesIn(emulator).filter((f) => f.endsWith(".h")),
    path.relative(root, __filename),
  ]);
  const sources = [...list("cuda"), ...filesIn(emulator).filter((f) => f.endsWith(".cc"))];
  const objects = await compileAll(sources, {
    output,
    shared,
    edits,
    command: () => ({ compiler: "g++", flags: [...common, ...more, "-I", emulator] }),
  });
  const library = path.join(output, `${name}.so`);
  await run("g++", ["-shared", ...more, "-o", library, ...objects]);
  return library;
}

module.exports = { build, replaced, sanitized };
if (require.main === module) runBuild(build);
