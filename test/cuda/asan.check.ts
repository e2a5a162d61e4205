/**
 * The kernels under AddressSanitizer and UndefinedBehaviorSanitizer: an access out of bounds of any tensor, scratch or
 * shared array ends the process and names the line of the kernel. Built apart from the other checks' backend.
 */
import { spawn, spawnSync } from "node:child_process";
import { readdirSync } from "node:fs";
import { join, resolve } from "node:path";

type Edits = Record<string, (text: string) => string>;
const { build, replaced, sanitized } = require("./build.cjs") as {
  build(name: string, edits: Edits, more: string[]): Promise<string>;
  replaced(found: string, planted: string): (text: string) => string;
  sanitized: { edits: Edits; flags: string[] };
};
const root = resolve(__dirname, "../..");
const runtimes = ["libasan.so", "libubsan.so"].map((name) =>
  spawnSync("g++", [`-print-file-name=${name}`], { encoding: "utf8" }).stdout.trim(),
);

const library = (name: string, edits: Edits = {}) =>
  build(name, { ...sanitized.edits, ...edits }, sanitized.flags);

/** Runs op records in a process in which the sanitizers watch. */
function check(backend: string, ...ops: string[]): Promise<{ code: number | null; said: string }> {
  const env = {
    ...process.env,
    VOXELSPARK_CUDA_LIBRARY: backend,
    LD_PRELOAD: runtimes.join(" "),
    // Node frees little on exit, and its own code is not what is looked at.
    ASAN_OPTIONS: "detect_leaks=0:handle_segv=0:exitcode=99",
    UBSAN_OPTIONS: "print_stacktrace=1",
  };
  const child = spawn(
    process.execPath,
    ["-r", require.resolve("tsx/cjs"), join(__dirname, "all-ops.ts"), ...ops],
    {
      cwd: root,
      env,
    },
  );
  let said = "";
  for (const stream of [child.stdout, child.stderr])
    stream.on("data", (text) => {
      said += text;
    });
  return new Promise((resolved) => child.on("close", (code) => resolved({ code, said })));
}

const ops = readdirSync(join(__dirname, "../ops/records")).map((file) => file.replace(/\.ts$/, ""));

jest.setTimeout(900_000); // with the compile

test("no kernel leaves what it was given", async () => {
  const backend = await library("sanitized");
  const halves = [0, 1].map((half) => ops.filter((_, i) => i % 2 === half));
  const found = await Promise.all(halves.map((half) => check(backend, ...half)));
  expect(found).toEqual([
    { code: 0, said: "" },
    { code: 0, said: "" },
  ]);
});

test.each([
  {
    name: "a store behind the end",
    op: "densify",
    file: "native/ops/densify/cuda.cu",
    found: "store<V>(y + voxel * channels + c, value);",
    planted: "store<V>(y + voxel * channels + c + 16, value);",
    says: /heap-buffer-overflow|use-after-poison/,
  },
])("found and named by its line: $name", async ({ op, file, found, planted, says }) => {
  const backend = await library("sanitized-bug", { [file]: replaced(found, planted) });
  const { code, said } = await check(backend, op);
  expect(code).toBe(99);
  expect(said).toMatch(says);
  expect(said).toMatch(new RegExp(`${file}:\\d+`));
});
