/** Cases of convolutions in processes of their own, whose environment says which engine computes them. */
import { execFile } from "node:child_process";
import { join, resolve } from "node:path";

export type Form = "off" | "shared" | "registers";
export interface Ended {
  status: unknown;
  said: string;
}

/** A script beside the emulator's checks; 3 is the status of wrong kernels. */
export function runScript(
  script: string,
  args: readonly string[],
  env: NodeJS.ProcessEnv = {},
): Promise<Ended> {
  const words = ["-r", require.resolve("tsx/cjs"), join(__dirname, "..", script), ...args];
  const options = { cwd: resolve(__dirname, "../../.."), env: { ...process.env, ...env }, timeout: 240_000 };
  return new Promise((done) =>
    execFile(process.execPath, words, options, (error, stdout, stderr) =>
      done({ status: error ? error.code : 0, said: stdout + stderr }),
    ),
  );
}

/** Cases by the names that one-tensor.ts takes. */
export const convolve = (form: Form, names: readonly string[], env: NodeJS.ProcessEnv = {}) =>
  runScript("one-tensor.ts", ["90", ...names], { VOXELSPARK_CUDA_WGMMA: form, ...env });
