/** Tensor, asynchronous and barrier instructions of the machine that executes PTX: right use, and wrong use. */
import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { copyMisuses } from "./copy-misuse";
import { productMisuses } from "./product-misuse";
import * as kernels from "./tensor-kernels";
import { A_BYTES, OUTPUT, STEP } from "./tensor-kernels";

const folder = mkdtempSync(join(tmpdir(), "voxelspark-ptx-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const driver = process.env.VOXELSPARK_PTX_DRIVER as string;

test("layouts, descriptors, numbers and sums", () => {
  const program = join(folder, "layouts");
  const parts = ["descriptor.cc", "product.cc", "common.cc"].map((f) => join(__dirname, f));
  const options = ["-std=c++17", "-O2", "-ffp-contract=off"];
  execFileSync("g++", [...options, join(__dirname, "../ptx_layouts.cc"), ...parts, "-o", program]);
  const { status, stdout } = spawnSync(program, { encoding: "utf8" });
  expect({ status, stdout }).toEqual({ status: 0, stdout: "" });
});

/** Small whole numbers, whose products and sums float32 has, so that results are exact. */
const entry = (seed: number) => ((Math.imul(seed + 1, 2654435761) >>> 13) % 17) - 8;
const a = (row: number, k: number) => entry(row * 1000 + k);
const b = (column: number, k: number) => entry(5e6 + column * 1000 + k);
const bfloat16 = (v: number) => new Uint32Array(new Float32Array([v]).buffer)[0]! >>> 16;

/** `steps` times A and B, 16 of k each, in core matrices of 8 rows by 8 of k. */
function tiles(steps: number): Buffer {
  const buffer = Buffer.alloc(OUTPUT + 256 * 64);
  const put = (at: number, row: number, k: number, v: number) =>
    buffer.writeUInt16LE(bfloat16(v), at + (row >> 3) * 256 + (k >> 3) * 128 + (row & 7) * 16 + (k & 7) * 2);
  for (let step = 0; step < steps; step++)
    for (let k = 0; k < 16; k++) {
      for (let row = 0; row < 64; row++) put(step * STEP, row, k, a(row, step * 16 + k));
      for (let n = 0; n < 32; n++) put(step * STEP + A_BYTES, n, k, b(n, step * 16 + k));
    }
  return buffer;
}

interface Case {
  text: string;
  threads: number;
  steps?: number;
  rows?: number;
  columns?: number;
  /** Which k are not zero. */
  keeps?: (k: number) => boolean;
}
const cases: Record<string, Case> = {
  stored: { text: kernels.stored, threads: 128 },
  registers: { text: kernels.registers, threads: 128 },
  copied: { text: kernels.copied, threads: 128, keeps: (k) => (k & 7) < 4 },
  signalled: { text: kernels.signalled, threads: 128 },
  piped: { text: kernels.piped, threads: 256, steps: 3 },
  warp: { text: kernels.warp, threads: 32, rows: 16, columns: 8 },
  "warp that meets": {
    text: kernels.warp.replace("bar.sync 0", "bar.warp.sync -1"),
    threads: 32,
    rows: 16,
    columns: 8,
  },
};

function run({ text, threads, steps = 1 }: Case, late: boolean) {
  const file = join(folder, "kernel.ptx");
  writeFileSync(file, text);
  const words = [file, "k", "1", String(threads), "0", late ? "late" : "early"];
  return spawnSync(driver, words, { input: tiles(steps), timeout: 60000 });
}

/** Where D is wrong: thread 4 (row % 8) + column % 8 / 2 of the warp of 16 rows has it, in register 4 (column / 8) + ... */
function mistakes(
  output: Buffer,
  { steps = 1, rows = 64, columns = 32, keeps = () => true }: Case,
): string[] {
  const found: string[] = [];
  for (let row = 0; row < rows; row++)
    for (let n = 0; n < columns; n++) {
      let sum = 0;
      for (let k = 0; k < steps * 16; k++) if (keeps(k)) sum += a(row, k) * b(n, k);
      const thread = (row >> 4) * 32 + (row & 7) * 4 + ((n & 7) >> 1);
      const register = (n >> 3) * 4 + ((row & 15) >> 3) * 2 + (n & 1);
      const value = output.readFloatLE(OUTPUT + thread * 64 + register * 4);
      if (value !== sum) found.push(`${row}, ${n}: ${value} for ${sum}`);
    }
  return found.slice(0, 5);
}

describe.each(Object.keys(cases))("%s", (name) => {
  test.each(["early", "late"])("%s: the product is exact", (when) => {
    const { status, stderr, stdout } = run(cases[name]!, when === "late");
    expect({ status, stderr: stderr.toString() }).toEqual({ status: 0, stderr: "" });
    expect(mistakes(stdout, cases[name]!)).toEqual([]);
  });
});

describe.each(["early", "late"])("%s", (when) => {
  const planted = Object.entries({ ...productMisuses, ...copyMisuses }).filter(
    ([, m]) => !m.when || m.when === when,
  );
  test.each(planted)("%s", (_, { of, found, planted, says }) => {
    const right = cases[of]!;
    const text = right.text.replace(found, planted);
    expect(text).not.toBe(right.text);
    const { status, stderr, stdout } = run({ ...right, text }, when === "late");
    if (says === "result") {
      expect({ status, stderr: stderr.toString() }).toEqual({ status: 0, stderr: "" });
      expect(mistakes(stdout, right)).not.toEqual([]);
    } else {
      expect({ status, stderr: stderr.toString() }).toEqual({
        status: 3,
        stderr: expect.stringMatching(says),
      });
    }
  });
});
