// What builds under test/cuda share: sources, possibly with planted bugs, become objects that are named by the hash of
// what they come from, so only what changed is compiled.
const { execFile } = require("node:child_process");
const { createHash } = require("node:crypto");
const fs = require("node:fs");
const os = require("node:os");
const path = require("node:path");
const { writeAbi } = require("../../native/sources.cjs");

const root = path.join(__dirname, "../..");

const run = (command, args) =>
  new Promise((resolve, reject) =>
    execFile(command, args, { cwd: root, maxBuffer: 1 << 26 }, (error, _out, err) =>
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

const filesIn = (folder) => fs.readdirSync(folder).map((f) => path.relative(root, path.join(folder, f)));

/** Of what all sources of a build depend on, beside the headers of native/ that each of them includes. */
function hashOf(files) {
  const sum = createHash("sha256").update(os.arch());
  for (const f of [...files, path.relative(root, __filename)])
    sum.update(fs.readFileSync(path.join(root, f)));
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
function writeHeaders(output, edits) {
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

const mentions = (files, name) =>
  files.some((f) => fs.readFileSync(path.join(root, f), "utf8").includes(name));

/** The folder with the fingerprint of what crosses the border between addon and backend, named by it. */
function writeFingerprint(output) {
  const file = path.join(output, `abi.${process.pid}`);
  writeAbi(file);
  const folder = path.join(output, `abi-${/0x(\w+)/.exec(fs.readFileSync(file, "utf8"))[1]}`);
  fs.mkdirSync(folder, { recursive: true });
  fs.renameSync(file, path.join(folder, fingerprint));
  return folder;
}
const fingerprint = "voxelspark_abi.h";

/**
 * @param {string[]} sources
 * @param {object} how
 * @param {string} how.output the folder of objects
 * @param {string} how.shared a hash of what all sources depend on
 * @param {Record<string, (text: string) => string>} how.edits planted bugs, by source or header
 * @param {(source: string) => { compiler: string, flags: string[] }} how.command flags without native/ and the source's folder
 * @returns {Promise<string[]>} the paths of the objects
 */
async function compileAll(sources, { output, shared, edits = {}, command }) {
  fs.mkdirSync(output, { recursive: true });
  const edited = writeHeaders(output, edits);
  const abi = writeFingerprint(output);
  const objects = [];
  await inTwos(sources, async (source) => {
    const original = fs.readFileSync(path.join(root, source), "utf8");
    const text = edits[source] ? edits[source](original) : original;
    const headers = [...headersOf(source)].sort();
    const overlay = headers.some((header) => edited.files.includes(header)) ? edited.folder : "";
    const { compiler, flags } = command(source);
    if (mentions([source, ...headers], fingerprint)) flags.push("-I", abi);
    const key = createHash("sha256")
      .update(JSON.stringify([shared, hashOf(headers), source, compiler, flags, overlay, text]))
      .digest("hex")
      .slice(0, 24);
    const object = path.join(output, `${key}.o`);
    objects.push(object);
    if (fs.existsSync(object)) return;
    const input = path.join(output, `${key}${compiler === "g++" ? ".cc" : path.extname(source)}`);
    fs.writeFileSync(input, `#line 1 "${source}"\n${text}`);
    const own = path.join(root, path.dirname(source)); // of a source that includes its neighbours
    const folders = [...(overlay ? [overlay] : []), path.join(root, "native"), own];
    const unfinished = `${object}.tmp${process.pid}.o`;
    await run(compiler, [...flags, ...folders.flatMap((f) => ["-I", f]), "-c", input, "-o", unfinished]);
    fs.renameSync(unfinished, object);
  });
  return objects.sort();
}

/** Takes the place of a part of a source; the part must be there, once. */
const replaced = (found, planted) => (text) => {
  if (text.split(found).length !== 2) throw new Error(`\`${found}\` is not there once`);
  return text.replace(found, planted);
};

/** A build called as a script. */
const runBuild = (build) =>
  build().then(
    (library) => console.log(`built ${path.relative(root, library)}`),
    (error) => {
      console.error(error.message);
      process.exitCode = 1;
    },
  );

module.exports = { compileAll, filesIn, hashOf, replaced, root, run, runBuild };
