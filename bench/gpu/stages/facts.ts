/** What machine this is, and whether a backend that came along can use its GPU. */
import { spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { info } from "../../../lib";
import { dry, type Part, workFolder } from "../part";

const { findNvcc } = require("../../../native/toolkit.cjs") as { findNvcc(): string | undefined };

const said = (command: string, ...args: string[]) =>
  spawnSync(command, args, { encoding: "utf8", timeout: 10_000 }).stdout?.trim() ?? "";

export default async function facts(part: Part): Promise<void> {
  const query = "--query-gpu=name,driver_version,memory.total,compute_cap,clocks.sm,clocks.max.sm";
  const [gpu, driver, ...rest] = said("nvidia-smi", query, "--format=csv,noheader").split(", ");
  part.fact("gpu", gpu || "none (nvidia-smi does not answer)");
  part.fact("driver", driver ?? "none");
  part.fact("memory, compute capability, clock, highest clock", rest.join(", "));
  part.fact(
    "nvcc",
    said(findNvcc() ?? "nvcc", "--version")
      .split("\n")
      .at(-2) ?? "none",
  );
  part.fact("node", process.version);
  part.fact("cores", availableParallelism());
  part.fact("date", new Date().toISOString());
  part.fact("dry", dry);
  const { cuda } = info();
  part.fact("a backend that came along", cuda.deviceCount ? `for ${cuda.devices.join(", ")}` : cuda.reason);
  // check.sh then builds another for comparison only, last.
  if (cuda.deviceCount) writeFileSync(join(workFolder(), "usable"), "");
}
