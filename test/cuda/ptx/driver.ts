/** Runs kernels of a few lines on the machine: see driver.cc. */
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const head = ".version 9.0\n.target sm_90a\n.address_size 64\n";

export interface Kernel {
  /** Statements; %buffer is the address of the buffer, %thread the number of the thread. */
  body: string;
  /** Declarations before the kernel. */
  variables?: string;
  blocks?: number;
  threads?: number;
  shared?: number;
}

export interface Ended {
  /** What is wrong with the kernel; empty: nothing. */
  complaint: string;
  output: Buffer;
}

export function runKernel(kernel: Kernel, buffer: Buffer, env: NodeJS.ProcessEnv = {}): Ended {
  const { body, variables = "", blocks = 1, threads = 32, shared = 0 } = kernel;
  const folder = mkdtempSync(join(tmpdir(), "voxelspark-ptx-"));
  try {
    const file = join(folder, "kernel.ptx");
    const registers =
      ".reg .pred %p<64>; .reg .b16 %h<64>; .reg .b32 %r<64>, %thread; .reg .f32 %f<64>; .reg .b64 %rd<64>, %buffer; .reg .f64 %fd<64>;";
    const start = "ld.param.u64 %buffer, [at];\nmov.u32 %thread, %tid.x;";
    writeFileSync(
      file,
      `${head}${variables}\n.visible .entry k(.param .u64 at)\n{\n${registers}\n${start}\n${body}\nret;\n}\n`,
    );
    const words = [file, "k", blocks, threads, shared, "early"].map(String);
    const { status, stdout, stderr } = spawnSync(process.env.VOXELSPARK_PTX_DRIVER as string, words, {
      input: buffer,
      maxBuffer: 1 << 28,
      timeout: 60000,
      env: { ...process.env, ...env },
    });
    if (status !== 0 && status !== 3) throw new Error(`the driver ended with ${status}: ${stderr}`);
    return { complaint: stderr.toString().trim(), output: stdout };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
