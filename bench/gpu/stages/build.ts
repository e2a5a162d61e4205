/** The backend compiled by nvcc for the machine's GPU, without spills and with the instructions that it is written for. */
import { execFile } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { join, resolve } from "node:path";
import { type Part, StageFailure, workFolder } from "../part";

const root = resolve(__dirname, "../../..");
const { architectures, forNvcc } = require("../../../native/architectures.cjs") as {
  architectures(): string[];
  forNvcc(names: readonly string[]): string[];
};
const { findNvcc } = require("../../../native/toolkit.cjs") as { findNvcc(): string | undefined };
const { list, writeAbi } = require("../../../native/sources.cjs") as {
  list(kind: string): string[];
  writeAbi(file: string): void;
};
interface Kernel {
  symbol: string;
  target: string;
}
const { parse, complaints } = require("../../../native/cuda-report.cjs") as {
  parse(log: string): { kernels: Kernel[]; problems: string[] };
  complaints(report: ReturnType<typeof parse>, targets: readonly string[]): string[];
};
const { faults, findDisassembler, readPtx, readSass, wantedOf } = require("../../../native/sass.cjs") as {
  faults(compiled: readonly Kernel[], found: readonly Kernel[], language: "sass" | "ptx"): string[];
  findDisassembler(): string | undefined;
  readPtx(generated: string, targets: readonly string[]): Promise<Kernel[]>;
  readSass(tool: string, library: string, compiled: readonly Kernel[]): Promise<Kernel[]>;
  wantedOf(kernel: Kernel): unknown;
};

/** stdout and stderr of a compiler; both in the message where it fails. */
const compiler = (command: string, args: readonly string[]): Promise<string> =>
  new Promise((resolved, reject) =>
    execFile(command, args, { cwd: root, maxBuffer: 2 ** 26 }, (error, out, err) =>
      error ? reject(new StageFailure(`${args.at(-1)} does not compile: ${out}${err}`)) : resolved(out + err),
    ),
  );

async function inParallel<T>(items: readonly T[], work: (item: T) => Promise<void>): Promise<void> {
  const queue = [...items];
  const worker = async () => {
    for (let item = queue.shift(); item !== undefined; item = queue.shift()) await work(item);
  };
  await Promise.all(Array.from({ length: availableParallelism() }, worker));
}

async function compile(part: Part): Promise<void> {
  const nvcc = findNvcc();
  if (!nvcc) throw new StageFailure("nvcc cannot be found: set CUDACXX or PATH");
  const began = performance.now();
  const names = architectures();
  const generated = join(workFolder(), "generated");
  mkdirSync(generated, { recursive: true });
  writeAbi(join(generated, "voxelspark_abi.h"));
  const flags = [
    ...["-std=c++17", "-O3", "-DNDEBUG", "-lineinfo", "-Xcompiler=-fPIC,-fvisibility=hidden", "-Xptxas=-v"],
    ...[...forNvcc(names), "-I", "native", "-I", generated],
  ];
  const objects: string[] = [];
  let log = "";
  await inParallel(list("cuda"), async (source) => {
    const object = join(generated, `${source.replaceAll("/", "_")}.o`);
    objects.push(object);
    log += await compiler(nvcc, [...flags, "-o", object, "-c", source]);
  });
  const library = join(workFolder(), "voxelspark_cuda.so");
  await compiler(nvcc, ["-shared", "-cudart", "static", ...forNvcc(names), "-o", library, ...objects.sort()]);
  part.fact("compiled for", names.map((name) => `sm_${name}`).join(", "));
  part.fact("seconds of compiling", (performance.now() - began) / 1000);
  writeFileSync(join(workFolder(), "nvcc.log"), log);
  const report = parse(log);
  part.fact("kernels", report.kernels.length);
  const found = complaints(
    report,
    names.map((name) => `sm_${name}`),
  );
  part.check("no spills, no warnings", found.length === 0, found.slice(0, 3).join("; ") || "none found");
  await part.attempt("tensor-core instructions", () => instructions(part, report.kernels, library));
}

/** Whether tensor-core kernels have the instructions that they are written for: HGMMA is wgmma's, HMMA mma.sync's. */
async function instructions(part: Part, kernels: readonly Kernel[], library: string): Promise<void> {
  const compiled = kernels.filter(wantedOf);
  const tool = findDisassembler();
  const generated = join(workFolder(), "generated");
  const targets = [...new Set(compiled.map(({ target }) => target))];
  const found = tool ? await readSass(tool, library, compiled) : await readPtx(generated, targets);
  const by = tool ? "cuobjdump" : "PTX; SASS is not checked, cuobjdump cannot be found";
  part.fact("instructions", { by, kernels: found.filter(wantedOf) });
  const wrong = faults(compiled, found, tool ? "sass" : "ptx");
  part.check("tensor-core instructions", wrong.length === 0, wrong.slice(0, 3).join("; ") || `by ${by}`);
}

export default async function build(part: Part): Promise<void> {
  await compile(part);
}
