// Lists native sources for binding.gyp and CMakeLists.txt, so that adding an op edits neither.
//   node native/sources.cjs main | simd | cuda
const fs = require("node:fs");
const path = require("node:path");

const root = path.join(__dirname, "..");
const walk = (dir) =>
  fs
    .readdirSync(path.join(root, dir), { withFileTypes: true })
    .flatMap((e) => (e.isDirectory() ? walk(`${dir}/${e.name}`) : [`${dir}/${e.name}`]));

const kinds = {
  main: (f) => f.endsWith(".cc") && !f.endsWith("cpu_simd.cc"),
  simd: (f) => f.endsWith("cpu_simd.cc"),
  cuda: (f) => f.endsWith(".cu"),
};
const kind = kinds[process.argv[2]];
if (!kind)
  throw new Error(`sources.cjs: kind is ${process.argv[2]}, allowed are ${Object.keys(kinds).join(", ")}`);
console.log(walk("native").filter(kind).sort().join("\n"));
