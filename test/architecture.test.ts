/** The floors, budgets and promises of the code base, read from the sources. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";

const root = resolve(__dirname, "..");

/** All files below a folder, as paths from the root. */
function walk(folder: string): string[] {
  if (!existsSync(join(root, folder))) return [];
  return readdirSync(join(root, folder), { withFileTypes: true }).flatMap((entry) => {
    const path = `${folder}/${entry.name}`;
    return entry.isDirectory() ? walk(path) : [path];
  });
}
const read = (path: string) => readFileSync(join(root, path), "utf8");
const lines = (path: string) => read(path).trimEnd().split("\n").length;
const isSource = (path: string) => /\.(m?ts|cjs|js|cc|h|cu|cuh|def)$/.test(path) && !path.includes(".gen.");

const lib = walk("lib").filter((path) => /\.m?ts$/.test(path));
const native = walk("native").filter(isSource);
const tests = walk("test").filter((path) => path.endsWith(".ts"));

/** From the ground up; a file or folder of lib/ imports from floors below its own, a folder also from itself. */
const floors = [
  ["errors", "json"],
  ["random", "files", "scope", "arguments", "triple"],
  ["lock", "metrics-log", "pending-file", "masking", "labels"],
  ["binding"],
  ["block-mask", "device"],
  ["tensor", "schema.gen"],
  ["launch"],
  ["autograd", "step-graph"],
  ["ops"],
  ["nn", "optim"],
  ["models", "data", "plans", "checkpoints", "pictures"],
  ["inference", "evaluation"],
  ["recipes", "report"],
  ["runs"],
  ["cli"],
  ["index"],
];
const nativeFloors = ["core", "device", "ops", "napi"];

/** The name under which a path of lib/ stands in `floors`. */
const roomOf = (path: string) => (path.split("/")[1] as string).replace(/\.m?ts$/, "");
const floorOf = (room: string) => floors.findIndex((rooms) => rooms.includes(room));

function importsOf(path: string): string[] {
  const relatives = read(path).matchAll(
    /(?:\bfrom\s*|\bimport\s*\(?\s*|\brequire\(\s*)["'](\.{1,2}\/[^"']*)["']/g,
  );
  return [...relatives].map(([, target]) => relative(root, resolve(root, dirname(path), target as string)));
}

describe("floors", () => {
  test("every file of lib/ has one", () => {
    expect([...new Set(lib.map(roomOf))].filter((room) => floorOf(room) < 0)).toEqual([]);
  });

  test("imports of lib/ only go down", () => {
    const climbs = lib.flatMap((path) =>
      importsOf(path)
        .filter((target) => target.startsWith("lib/") && roomOf(target) !== roomOf(path))
        .filter((target) => floorOf(roomOf(target)) >= floorOf(roomOf(path)))
        .map((target) => `${path} imports ${target}`),
    );
    expect(climbs).toEqual([]);
  });

  test("includes of native/ only go down", () => {
    const climbs = native.flatMap((path) => {
      const floor = nativeFloors.indexOf(path.split("/")[1] as string);
      const targets = [...read(path).matchAll(/^\s*#include "([^"]+)"/gm)].map(
        ([, target]) => target as string,
      );
      return targets
        .filter((target) => !["voxelspark_abi.h", "tensor.h"].includes(target)) // generated, of the emulator
        .filter(
          (target) =>
            !(
              nativeFloors.indexOf(target.split("/")[0] as string) <= floor &&
              existsSync(join(root, "native", target))
            ),
        )
        .map((target) => `${path} includes ${target}`);
    });
    expect(climbs).toEqual([]);
  });

  test("Node stays in native/napi and CUDA in .cu files", () => {
    const strays = native.filter(
      (path) =>
        (!path.startsWith("native/napi/") && /#include <(napi|node_api)\.h>/.test(read(path))) ||
        (!/\.cuh?$/.test(path) && /#include <cuda/.test(read(path))),
    );
    expect(strays).toEqual([]);
  });

  test("SIMD sources, compiled once per instruction set, include nothing of the standard library", () => {
    const includes = native
      .filter((path) => path.endsWith("_simd.cc"))
      .flatMap((path) =>
        [...read(path).matchAll(/^\s*#include <([^>]+)>/gm)].map(([, name]) => `${path}: ${name}`),
      );
    expect(includes.filter((line) => !/: (stdint\.h|stddef\.h|immintrin\.h)$/.test(line))).toEqual([]);
  });
});

describe("budgets", () => {
  const tooLong = (paths: string[], most: number) =>
    paths
      .filter((path) => lines(path) > most)
      .map((path) => `${path}: ${lines(path)} lines, at most ${most}`);

  test("files", () => {
    const all = [...lib, ...native, ...tests, ...walk("bench"), ...walk("examples")].filter(isSource);
    expect(tooLong(all, 500)).toEqual([]);
  });

  test("the Node boundary as a whole", () => {
    const all = native.filter((path) => path.startsWith("native/napi/")).map(lines);
    expect(all.reduce((a, b) => a + b, 0)).toBeLessThanOrEqual(600);
  });

  test("autograd, op wrappers, recipes", () => {
    expect(tooLong(["lib/autograd.ts"], 200)).toEqual([]);
    expect(tooLong(walk("lib/ops"), 60)).toEqual([]);
    // Of a recipe the code counts, not its imports and explanations.
    const code = (path: string) =>
      read(path)
        .replace(/\/\*[\s\S]*?\*\/|^\s*\/\/.*$|^import [\s\S]*?;$/gm, "")
        .split("\n")
        .filter((line) => line.trim()).length;
    expect(walk("lib/recipes").filter((path) => code(path) > 80)).toEqual([]);
  });
});

describe("ops", () => {
  const ops = readdirSync(join(root, "native/ops"), { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && existsSync(join(root, "native/ops", entry.name, "cpu.cc")))
    .map((entry) => entry.name);
  const camel = (op: string) => op.replace(/_(\w)/g, (_, letter: string) => letter.toUpperCase());
  const mentions = (folder: string, name: string) =>
    walk(folder)
      .filter(isSource)
      .some((path) => new RegExp(`\\b${name}\\b`, "i").test(read(path)));

  test.each(ops)("%s has a page, a wrapper, a test and a benchmark", (op) => {
    const found = {
      page: existsSync(join(root, "native/ops", op, "README.md")),
      wrapper: existsSync(join(root, "lib/ops", `${op.replaceAll("_", "-")}.ts`)),
      test: mentions("test", camel(op)),
      benchmark: mentions("bench", camel(op)),
    };
    const missing = Object.entries(found).filter(([, there]) => !there);
    expect(missing.map(([what]) => what)).toEqual([]);
  });
});

describe("error codes", () => {
  const declared = [...read("lib/errors.ts").matchAll(/\| "(ERR_VOXELSPARK_\w+)"/g)].map(
    ([, code]) => code as string,
  );
  const raisers = [...lib.filter((path) => !/errors\.ts$|binding\.ts$/.test(path)), ...native]
    .map(read)
    .join("\n");
  const tested = tests
    .filter((path) => !path.endsWith("architecture.test.ts"))
    .map(read)
    .join("\n");

  test("are declared", () => expect(declared.length).toBeGreaterThan(10));

  // Raised when a kernel breaks its own promise, which no test can make one do.
  const unprovoked = new Set(["ERR_VOXELSPARK_INTERNAL"]);

  test.each(declared.filter((code) => !unprovoked.has(code)))(
    "%s is raised somewhere and provoked by a test",
    (code) => {
      const short = code.replace("ERR_VOXELSPARK_", "");
      // Two are made by the classes of errors.ts by default, one by the loader itself.
      const implicit = { TYPE: /ArgumentTypeError\(/, RANGE: /ArgumentRangeError\(/, NATIVE_LOAD: /./ }[
        short
      ];
      expect(raisers).toMatch(implicit ?? new RegExp(`"${code}"|"${short}"`));
      expect(tested).toMatch(new RegExp(`\\b${code}\\b`));
    },
  );
});
