/** The tarball as a stranger meets it: installed into an empty folder, used from every kind of module. */
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";

const root = resolve(__dirname, "../..");
const bin = (name: string) => join(root, "node_modules", ".bin", name);
let folder: string;
let tarball: string;

// npm's own settings of the run that started the tests must not reach the consumer's.
const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^npm_/i.test(name)));
function run(command: string, args: string[], cwd = folder): string {
  const { status, stdout, stderr, error } = spawnSync(command, args, { cwd, env, encoding: "utf8" });
  if (status === 0) return stdout;
  throw new Error(`${command} ${args.join(" ")} ended with ${error ?? status}:\n${stdout}\n${stderr}`);
}
const put = (name: string, text: string) => writeFileSync(join(folder, name), text);

const program = `
  const y = leakyRelu(tensor([-1, 2], [2]), 0.5);
  y.data().then((values) => console.log(JSON.stringify(Array.from(values))));
`;

beforeAll(() => {
  folder = join(mkdtempSync(join(tmpdir(), "voxelspark pack ")), "consumer");
  mkdirSync(folder);
  run("npm", ["run", "build"], root);
  const packed = JSON.parse(
    run("npm", ["pack", "--json", "--ignore-scripts", "--pack-destination", folder], root),
  );
  tarball = join(folder, packed[0].filename);
  put("package.json", JSON.stringify({ name: "consumer", private: true }));
  run("npm", ["install", "--no-audit", "--no-fund", "--foreground-scripts", tarball]);
});

afterAll(() => rmSync(resolve(folder, ".."), { recursive: true, force: true }));

test("publint finds nothing", () => {
  expect(run(bin("publint"), ["--strict", tarball], root)).toContain("All good");
});

test("the types are right for every way of resolving modules", () => {
  run(bin("attw"), [tarball, "--no-emoji"], root);
});

test("the tarball holds sources and results, and no build of this machine", () => {
  const names = readdirSync(join(folder, "node_modules", "voxelspark"));
  expect(names).toEqual(
    expect.arrayContaining(["LICENSE", "README.md", "CHANGELOG.md", "dist", "native", "build"]),
  );
  const listed = run("tar", ["tzf", tarball]).split("\n");
  expect(listed.filter((name) => /^package\/(build|build-cuda|test|node_modules|lib)\//.test(name))).toEqual(
    [],
  );
});

test("CommonJS", () => {
  put("a.cjs", `const { leakyRelu, tensor } = require("voxelspark");${program}`);
  expect(run("node", ["a.cjs"])).toBe("[-0.5,2]\n");
});

test("ES modules, with the same classes as CommonJS", () => {
  put("a.mjs", `import { leakyRelu, tensor } from "voxelspark";${program}`);
  expect(run("node", ["a.mjs"])).toBe("[-0.5,2]\n");
  put(
    "same.mjs",
    `import * as imported from "voxelspark";
     import { createRequire } from "node:module";
     const required = createRequire(import.meta.url)("voxelspark");
     const names = Object.keys(required);
     console.log(names.length > 10 && names.every((name) => imported[name] === required[name]));`,
  );
  expect(run("node", ["same.mjs"])).toBe("true\n");
});

test.each(["nodenext", "node16"])("a TypeScript consumer without any ambient types, %s", (module) => {
  const use = `import { type Tensor, leakyRelu, tensor } from "voxelspark";
    const y: Tensor = leakyRelu(tensor([-1, 2], [2]));
    y.dispose();
    // @ts-expect-error a shape is required
    tensor([1]);
  `;
  put("strict.cts", use);
  put("strict.mts", use);
  const options = { strict: true, module, target: "es2022", types: [], lib: ["es2022"], noEmit: true };
  put("tsconfig.json", JSON.stringify({ compilerOptions: options, files: ["strict.cts", "strict.mts"] }));
  run(bin("tsc"), ["-p", "."]);
});

/** A consumer that hands on what every function returns, as a library of functions around them does. */
const handOn = `
  import { writeFileSync } from "node:fs";
  import * as all from "voxelspark";
  const isClass = (f) => /^class/.test(Function.prototype.toString.call(f));
  const lines = ['import * as V from "voxelspark";'];
  for (const [name, value] of Object.entries(all)) {
    if (name === "__esModule" || name === "default") continue;
    if (typeof value !== "function") lines.push("export const c_" + name + " = V." + name + ";");
    else if (isClass(value)) lines.push("export const i_" + name + " = (o: V." + name + ") => ({ ...o });");
    else lines.push("export const f_" + name + " = () => V." + name + "(...(null! as Parameters<typeof V." + name + ">));");
  }
  writeFileSync("hand-on.mts", lines.join("\\n"));
`;

test("declarations of a consumer can name every type that the package gives it", () => {
  put("write-hand-on.mjs", handOn);
  run("node", ["write-hand-on.mjs"]);
  const options = { strict: true, module: "nodenext", target: "es2022", types: [], declaration: true };
  const compilerOptions = { ...options, emitDeclarationOnly: true, skipLibCheck: false, outDir: "hand-on" };
  put("tsconfig.hand-on.json", JSON.stringify({ compilerOptions, files: ["hand-on.mts"] }));
  run(bin("tsc"), ["-p", "tsconfig.hand-on.json"]);
});

test("a TypeScript program pre-trains, goes on, loads and saves, by exports alone", () => {
  put(
    "runs.mts",
    `import * as V from "voxelspark";
     const edge = [16, 16, 16] as [number, number, number];
     for await (const _ of V.writePhantoms("heads", 2, { shape: edge }));
     const input: V.PlanInput = { patch: edge, batch: 1, mask: { block: 8 }, preprocessing: { spacing: "median" }, loader: { workers: 0 } };
     const plan = await V.resolvePreprocessing(V.createPlan({ ...input, steps: 2 }, "tiny"), "heads/images");
     const events: V.RunEvent["type"][] = [];
     for (const resume of [false, true]) {
       const open = () => V.openCases("heads/images", "run", plan);
       for await (const { type } of V.runPretraining({ plan, out: "run", open, device: "cpu", resume })) events.push(type);
     }
     const { model, step } = await V.loadModel("run", "cpu");
     using optimizer = new V.SGD(model.parameters(), { momentum: 0.9 });
     const tensors = { weights: V.tensorSources(model.state()), optimizer: V.tensorSources(optimizer.state()) };
     const folder = await V.saveCheckpoint("mine", { step, seed: 0, plan: {} }, tensors);
     const checkpoint = await V.openCheckpoint(folder);
     await V.loadWeights(model, checkpoint);
     await V.loadMomenta(optimizer, checkpoint);
     await checkpoint.close();
     console.log(events.filter((type) => type === "step").length, events.at(-1), step);
     model.dispose();`,
  );
  const options = {
    strict: true,
    module: "nodenext",
    target: "es2022",
    lib: ["es2023", "esnext.disposable"],
  };
  put(
    "tsconfig.runs.json",
    JSON.stringify({ compilerOptions: { ...options, types: [] }, files: ["runs.mts"] }),
  );
  run(bin("tsc"), ["-p", "tsconfig.runs.json"]);
  expect(run("node", ["runs.mjs"])).toBe("2 end 2\n");
});

test("without its addon the command line says so in a sentence", () => {
  const addon = join(folder, "node_modules", "voxelspark", "build");
  renameSync(addon, `${addon}.off`);
  try {
    const command = join(folder, "node_modules", ".bin", "voxelspark");
    const { status, stderr } = spawnSync(command, ["--help"], { encoding: "utf8" });
    expect(stderr).toMatch(/^error: The native addon could not be loaded .*\n.*npm rebuild voxelspark/);
    expect(stderr).not.toMatch(/\n\s+at /);
    expect(status).toBe(1);
  } finally {
    renameSync(`${addon}.off`, addon);
  }
});

test("the command line", () => {
  const command = join(folder, "node_modules", ".bin", "voxelspark");
  expect(existsSync(command)).toBe(true);
  expect(JSON.parse(run(command, ["info", "--json"]))).toMatchObject({
    version: expect.stringMatching(/^\d+\.\d+\.\d+/),
    threads: expect.any(Number),
  });
});
