import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";

const root = resolve(__dirname, "..");
const raw = join(root, "build", "Release", "voxelspark.node");
const node = (args: string[]) => spawnSync(process.execPath, args, { encoding: "utf8" });

describe("an addon that cannot be loaded", () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "voxelspark-binding-"));
    mkdirSync(join(folder, "lib"));
    for (const name of ["binding.ts", "errors.ts"])
      cpSync(join(root, "lib", name), join(folder, "lib", name));
    writeFileSync(
      join(folder, "main.ts"),
      `try { require("./lib/binding"); } catch (e: any) { console.log(JSON.stringify({ name: e.name, code: e.code, message: e.message })); }`,
    );
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));
  const load = () =>
    JSON.parse(node([join(root, "node_modules/tsx/dist/cli.mjs"), join(folder, "main.ts")]).stdout);

  test("was never built: the error names the file and the cure", () => {
    const error = load();
    expect(error).toMatchObject({ name: "NativeLoadError", code: "ERR_VOXELSPARK_NATIVE_LOAD" });
    expect(error.message).toContain(join(folder, "build", "Release", "voxelspark.node"));
    expect(error.message).toContain("npm rebuild voxelspark");
  });

  test("is damaged", () => {
    mkdirSync(join(folder, "build", "Release"), { recursive: true });
    writeFileSync(join(folder, "build", "Release", "voxelspark.node"), "not an object file");
    expect(load()).toMatchObject({ code: "ERR_VOXELSPARK_NATIVE_LOAD" });
  });
});

/** What the raw addon says of CUDA after opening a library in a process of its own. */
function opening(library: string): { built: boolean; deviceCount: number; reason: string; value: number } {
  const script = `
    const addon = require(${JSON.stringify(raw)});
    addon.configure({ cudaLibrary: ${JSON.stringify(library)} });
    const { built, deviceCount, reason } = addon.info().cuda;
    addon.read(addon.fill(0, 0, [1], 0, 3)).then(([value]) => console.log(JSON.stringify({ built, deviceCount, reason, value })));`;
  const { stdout, stderr, status } = node(["-e", script]);
  if (status !== 0) throw new Error(stderr);
  return JSON.parse(stdout);
}

describe("a CUDA library that cannot be used leaves the CPU alone", () => {
  const none = { built: false, deviceCount: 0, value: 3 };

  test("missing", () => {
    expect(opening("/nowhere/voxelspark_cuda.so")).toMatchObject({
      ...none,
      reason: expect.stringMatching(/could not be loaded: \/nowhere\/voxelspark_cuda.so/),
    });
  });

  test("damaged", () => {
    expect(opening(__filename)).toMatchObject({
      ...none,
      reason: expect.stringMatching(/could not be loaded/),
    });
  });

  test("of other sources", () => {
    expect(opening(raw)).toMatchObject({
      ...none,
      reason: expect.stringMatching(/was built from other sources/),
    });
  });
});
