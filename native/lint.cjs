// Checks the format of all native sources: `npm run lint:native`, with --write to repair it.
const { spawnSync } = require("node:child_process");
const path = require("node:path");
const { list } = require("./sources.cjs");

const files = list("formatted");
const cwd = path.join(__dirname, "..");
const format = (...mode) => spawnSync("clang-format", [...mode, ...files], { cwd, encoding: "utf8" });

function main() {
  const result = process.argv.includes("--write") ? format("-i") : format("--dry-run");
  if (result.error?.code === "ENOENT") {
    console.error(`
  *** lint:native SKIPPED: clang-format is not installed, ${files.length} native files are unchecked ***
  *** on Debian or Ubuntu: sudo apt-get install -y clang-format ***
`);
    return 0;
  }
  if (result.error || result.status !== 0) {
    console.error(result.error?.message ?? result.stderr);
    return 1;
  }
  const wrong = new Set(
    [...result.stderr.matchAll(/^(\S[^:\n]*):\d+:\d+: warning:/gm)].map(([, file]) => file),
  );
  for (const file of wrong) console.error(`not formatted: ${file}`);
  if (wrong.size) console.error("Repair with: npm run lint:native -- --write");
  else console.log(`clang-format: ${files.length} native files are well formed`);
  return wrong.size ? 1 : 0;
}

process.exitCode = main();
