// Builds the CUDA backend for the emulator: the sources of native/, compiled by g++ into a shared object that the addon
// opens in place of the real one.   node test/cuda/build.cjs
const { execFile } = require("node:child_process");
const { createHash } = require("node:crypto");
const fs = require("node:fs");
const os = require("node:os");
const path = require("node:path");
const { list, writeAbi } = require("../../native/sources.cjs");

const root = path.join(__dirname, "../..");
const emulator = path.join(__dirname, "emulator");
const output = path.join(root, "build-cuda", "emulated");
const flags = [
  "-std=c++17",
  "-O2",
  "-g1",
  "-fPIC",
  "-fvisibility=hidden",
  "-mfma",
  "-ffp-contract=on",
  "-Wall",
];

const run = (command, args) =>
  new Promise((resolve, reject) =>
    execFile(command, args, { cwd: root }, (error, _out, err) =>
      error ? reject(new Error(`${command} ${args.join(" ")}\n${err}`)) : resolve(),
    ),
  );

/** Calls work(item) for all items, two at a time. */
async function inTwos(items, work) {
  const queue = [...items];
  const worker = async () => {
    for (let item = queue.shift(); item !== undefined; item = queue.shift()) await work(item);
  };
  await Promise.all([worker(), worker()]);
}

/** Everything that a change of makes old objects useless. */
function headersHash() {
  const files = [
    ...list("headers"),
    ...list("formatted").filter((f) => f.endsWith(".cuh")),
    ...fs.readdirSync(emulator).map((f) => path.relative(root, path.join(emulator, f))),
    path.relative(root, __filename),
  ];
  const sum = createHash("sha256").update(os.arch());
  for (const f of files) sum.update(fs.readFileSync(path.join(root, f)));
  return sum.digest("hex");
}

/** The headers of native/ that a source includes, and those that they include. */
function headersOf(source, found = new Set()) {
  const text = fs.readFileSync(path.join(root, source), "utf8");
  for (const [, name] of text.matchAll(/^#include "(.+)"/gm)) {
    const header = `native/${name}`;
    if (found.has(header) || !fs.existsSync(path.join(root, header))) continue;
    found.add(header);
    headersOf(header, found);
  }
  return found;
}

/** Writes edited headers to a folder that goes before native/ on the path of includes. */
function writeHeaders(edits) {
  const texts = Object.entries(edits)
    .filter(([file]) => /\.(cuh|h)$/.test(file))
    .map(([file, edit]) => [file, edit(fs.readFileSync(path.join(root, file), "utf8"))]);
  if (texts.length === 0) return { folder: undefined, files: [] };
  const hash = createHash("sha256").update(JSON.stringify(texts)).digest("hex").slice(0, 24);
  const folder = path.join(output, `headers-${hash}`);
  for (const [file, text] of texts) {
    const to = path.join(folder, path.relative("native", file));
    fs.mkdirSync(path.dirname(to), { recursive: true });
    fs.writeFileSync(to, text);
  }
  return { folder, files: texts.map(([file]) => file) };
}

/** Takes the place of a part of a source; the part must be there, once. */
const replaced = (found, planted) => (text) => {
  if (text.split(found).length !== 2) throw new Error(`\`${found}\` is not there once`);
  return text.replace(found, planted);
};

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
 * Objects are named by the hash of what they come from, so only what changed is compiled.
 * @param {Record<string, (text: string) => string>} edits planted bugs, by source or header: they change its text
 * @param {string[]} more compiler flags
 * @returns {Promise<string>} the path of the shared object
 */
async function build(name = "backend", edits = {}, more = []) {
  fs.mkdirSync(output, { recursive: true });
  const shared = headersHash();
  const abi = path.join(output, `abi-${shared.slice(0, 16)}`);
  fs.mkdirSync(abi, { recursive: true });
  writeAbi(path.join(abi, "voxelspark_abi.h"));
  const sources = [
    ...list("cuda"),
    ...fs
      .readdirSync(emulator)
      .filter((f) => f.endsWith(".cc"))
      .map((f) => `test/cuda/emulator/${f}`),
  ];
  const edited = writeHeaders(edits);
  const objects = [];
  await inTwos(sources, async (source) => {
    const original = fs.readFileSync(path.join(root, source), "utf8");
    const text = edits[source] ? edits[source](original) : original;
    const headers = edited.folder && [...headersOf(source)];
    const overlay = headers?.some((header) => edited.files.includes(header)) ? edited.folder : "";
    const key = createHash("sha256")
      .update(shared + source + more + overlay)
      .update(text)
      .digest("hex")
      .slice(0, 24);
    const object = path.join(output, `${key}.o`);
    objects.push(object);
    if (fs.existsSync(object)) return;
    const input = path.join(output, `${key}.cc`);
    fs.writeFileSync(input, `#line 1 "${source}"\n${text}`);
    const folders = ["native", "test/cuda/emulator"].map((folder) => path.join(root, folder));
    const include = [...(overlay ? [overlay] : []), ...folders].flatMap((folder) => ["-I", folder]);
    await run("g++", [
      ...flags,
      ...more,
      ...include,
      "-I",
      abi,
      "-c",
      input,
      "-o",
      `${object}.tmp${process.pid}`,
    ]);
    fs.renameSync(`${object}.tmp${process.pid}`, object);
  });
  const library = path.join(output, `${name}.so`);
  await run("g++", ["-shared", ...more, "-o", library, ...objects.sort()]);
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
