// Checks the format of all native sources: `npm run lint:native`, with --write to repair it.
const { spawnSync } = require("node:child_process");
const { list } = require("./sources.cjs");

const files = list("formatted");
const write = process.argv.includes("--write");
const mode = write ? ["-i"] : ["--dry-run", "-Werror"];
const result = spawnSync("clang-format", [...mode, ...files], {
  cwd: `${__dirname}/..`,
  stdio: "inherit",
});
if (result.error?.code === "ENOENT") {
  console.error(`
  *** lint:native SKIPPED: clang-format is not installed, ${files.length} native files are unchecked ***
  *** on Debian or Ubuntu: sudo apt-get install -y clang-format                          ***
`);
} else {
  process.exitCode = result.status ?? 1;
  if (result.status === 0)
    console.log(`clang-format: ${files.length} native files ${write ? "formatted" : "are well formed"}`);
  else console.error("clang-format: run `npm run lint:native -- --write`");
}
