// Lists native sources for binding.gyp and CMakeLists.txt, so that adding an op edits neither.
//   node native/sources.cjs main | simd | cuda | headers | formatted
//   node native/sources.cjs abi FILE    writes a header with the fingerprint of everything that both backends share
const { createHash } = require("node:crypto");
const fs = require("node:fs");
const path = require("node:path");

const root = path.join(__dirname, "..");
const walk = (dir) =>
  fs
    .readdirSync(path.join(root, dir), { withFileTypes: true })
    .flatMap((e) => (e.isDirectory() ? walk(`${dir}/${e.name}`) : [`${dir}/${e.name}`]));

const isHeader = (f) => /\.(h|def)$/.test(f);
const kinds = {
  main: (f) => f.endsWith(".cc") && !f.endsWith("_simd.cc"),
  simd: (f) => f.endsWith("_simd.cc"),
  cuda: (f) => f.endsWith(".cu") || (f.startsWith("native/core/") && f.endsWith(".cc")),
  headers: isHeader,
  formatted: (f) => /\.(cc|cu|cuh|h)$/.test(f),
};
const list = (kind) => walk("native").filter(kinds[kind]).sort();

function hash(files) {
  const sum = createHash("sha256");
  for (const f of files)
    sum
      .update(`${f}\0`)
      .update(fs.readFileSync(path.join(root, f)))
      .update("\0");
  return sum.digest("hex");
}

/** What a backend was built from, as a hash. */
function fingerprint(backend) {
  const build = ["native/sources.cjs", backend === "cuda" ? "CMakeLists.txt" : "binding.gyp"];
  const extension = backend === "cuda" ? /\.(cu|cuh)$/ : /\.cc$/;
  const own = (f) => extension.test(f) || isHeader(f) || kinds[backend === "cuda" ? "cuda" : "main"](f);
  const files = walk("native").filter(own).sort();
  return `${hash([...build, ...files])} ${process.platform}-${process.arch}\n`;
}

/** The headers whose structs cross the border between the addon and the CUDA shared object. */
const shared = () => list("headers").filter((f) => !f.startsWith("native/napi/"));

function writeAbi(file) {
  fs.writeFileSync(file, `#define VOXELSPARK_ABI 0x${hash(shared()).slice(0, 16)}ull\n`);
}

function main([kind, file]) {
  if (kind === "abi") writeAbi(file);
  else if (kinds[kind]) console.log(list(kind).join("\n"));
  else throw new Error(`sources.cjs: kind is ${kind}, allowed are ${Object.keys(kinds).join(", ")} and abi`);
}

module.exports = { fingerprint, list, writeAbi };
if (require.main === module) main(process.argv.slice(2));
