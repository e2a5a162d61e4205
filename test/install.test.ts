/** The installation script, in a copy of the package whose PATH holds just what a test puts there. */
import { spawnSync } from "node:child_process";
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";

const root = resolve(__dirname, "..");
const { fingerprint } = require("../native/sources.cjs");
let folder: string;
let tools: string;

beforeEach(() => {
  folder = join(mkdtempSync(join(tmpdir(), "voxelspark install ")), "package");
  tools = join(folder, "tools");
  mkdirSync(tools, { recursive: true });
  for (const name of ["native", "binding.gyp", "CMakeLists.txt", "package.json"])
    cpSync(join(root, name), join(folder, name), { recursive: true });
  symlinkSync(join(root, "node_modules"), join(folder, "node_modules"));
});
afterEach(() => rmSync(resolve(folder, ".."), { recursive: true, force: true }));

/** An addon as if built from the sources that are there. */
function built(): void {
  mkdirSync(join(folder, "build", "Release"), { recursive: true });
  cpSync(
    join(root, "build", "Release", "voxelspark.node"),
    join(folder, "build", "Release", "voxelspark.node"),
  );
  writeFileSync(join(folder, "build", "sources.sha256"), fingerprint("cpu"));
}

function tool(name: string, script: string): void {
  writeFileSync(join(tools, name), `#!/bin/sh\n${script}\n`);
  chmodSync(join(tools, name), 0o755);
}

function install(environment: Record<string, string> = {}): {
  status: number | null;
  out: string;
  err: string;
} {
  const env = { PATH: tools, ...environment };
  const { status, stdout, stderr } = spawnSync(process.execPath, [join(folder, "native", "install.cjs")], {
    cwd: folder,
    env,
    encoding: "utf8",
  });
  return { status, out: stdout, err: stderr };
}

test("what is built and current stays as it is, without HOME", () => {
  built();
  const { status, out, err } = install();
  expect({ status, err }).toEqual({ status: 0, err: "" });
  expect(out).toMatch(
    /^voxelspark: already built: CPU \w+, CUDA none \(the CUDA backend was not built.*\)\n$/,
  );
});

test("a date alone makes no build, a changed source does", () => {
  built();
  const source = join(folder, "native", "device", "cpu.cc");
  utimesSync(source, new Date(), new Date());
  expect(install().status).toBe(0);
  writeFileSync(source, "changed\n");
  expect(install()).toMatchObject({
    status: 1,
    err: expect.stringContaining("cannot build without g++, make"),
  });
});

test("no compiler: one line with the command that brings one", () => {
  const { status, err } = install();
  expect(status).toBe(1);
  expect(err).toBe(
    "voxelspark: cannot build without g++, make, python3; on Debian or Ubuntu run: " +
      "sudo apt-get install -y g++ make python3\n",
  );
});

test("a failed build shows its last 40 lines", () => {
  const python = spawnSync("python3", ["-c", "import sys; print(sys.executable)"], { encoding: "utf8" });
  tool("python3", `exec "${python.stdout.trim()}" "$@"`);
  symlinkSync(process.execPath, join(tools, "node"));
  tool("g++", "exit 1");
  tool("make", 'i=1; while [ "$i" -le 60 ]; do echo "line $i of make"; i=$((i+1)); done; exit 2');
  const { status, out, err } = install();
  expect(status).toBe(1);
  expect(out).toMatch(/^voxelspark: building the CPU backend \(node-gyp, headers of .+\) \.\.\.\n$/);
  expect(err).toMatch(/failed after \d+\.\d s; its last 40 lines:/);
  expect(err).toContain("line 60 of make");
  expect(err).not.toContain("line 2 of make");
  expect(err.trimEnd().split("\n")).toHaveLength(41);
});

test("VOXELSPARK_SKIP_BUILD=1 builds nothing and says so", () => {
  expect(install({ VOXELSPARK_SKIP_BUILD: "1" })).toMatchObject({
    status: 0,
    out: expect.stringMatching(/nothing is built; `npm rebuild voxelspark` builds later/),
  });
  expect(existsSync(join(folder, "build"))).toBe(false);
});

describe("VOXELSPARK_CUDA", () => {
  beforeEach(() => built());
  const failing = () => {
    for (const name of ["g++", "make", "nvcc", "cmake"]) tool(name, `echo "${name} is broken"; exit 3`);
  };

  test("an unknown value", () => {
    expect(install({ VOXELSPARK_CUDA: "yes" })).toMatchObject({
      status: 1,
      err: "voxelspark: VOXELSPARK_CUDA is 'yes', allowed are 1 (required) and off\n",
    });
  });

  test("left out: a build that fails is a warning, the CPU stays", () => {
    failing();
    const { status, out } = install();
    expect(status).toBe(0);
    expect(out).toMatch(/warning: building the CUDA backend for sm_80, sm_90a \(cmake-js, .+nvcc\) failed/);
    expect(out).toMatch(/cmake is broken/);
    expect(out).toMatch(/going on without CUDA; the CPU is not affected/);
  });

  test("a toolkit that is too old: found and needed, and the CPU stays", () => {
    failing();
    tool("nvcc", 'echo "Cuda compilation tools, release 11.8, V11.8.89"');
    const { status, out } = install();
    expect(status).toBe(0);
    expect(out).toMatch(/warning: .+nvcc is of CUDA 11\.8, needed is 12\.0 or newer: set CUDACXX/);
    expect(out).toMatch(/going on without CUDA; the CPU is not affected/);
  });

  test("1: a build that fails fails the installation", () => {
    failing();
    expect(install({ VOXELSPARK_CUDA: "1" })).toMatchObject({
      status: 1,
      err: expect.stringMatching(/building the CUDA backend .+ failed after/),
    });
  });

  test("an architecture that no kernel is for", () => {
    failing();
    expect(install({ VOXELSPARK_CUDA_ARCH: "75" })).toMatchObject({
      status: 1,
      err: "voxelspark: VOXELSPARK_CUDA_ARCH is '75', allowed are all, or some of 80, 86, 89, 90a with commas between\n",
    });
  });

  test("the machine's own device alone", () => {
    failing();
    tool("nvidia-smi", 'echo "8.6"');
    expect(install().out).toMatch(/building the CUDA backend for sm_86 \(/);
  });

  test("1 without cmake", () => {
    tool("nvcc", "exit 0");
    expect(install({ VOXELSPARK_CUDA: "1" })).toMatchObject({
      status: 1,
      err: "voxelspark: VOXELSPARK_CUDA=1, but cmake cannot be found\n",
    });
  });

  test("off: a library of an earlier build goes", () => {
    mkdirSync(join(folder, "build-cuda", "Release"), { recursive: true });
    writeFileSync(join(folder, "build-cuda", "Release", "voxelspark_cuda.so"), "old");
    failing();
    expect(install({ VOXELSPARK_CUDA: "off" })).toMatchObject({ status: 0, err: "" });
    expect(existsSync(join(folder, "build-cuda"))).toBe(false);
  });
});
