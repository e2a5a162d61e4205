/** The profiler's view of the costliest convolution: how busy are multiprocessors, tensor cores and memory. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { outFolder, type Part, requireGpu } from "../part";
import { requireTool, underTool } from "./sanitizer";

const SECTIONS = [
  "SpeedOfLight",
  "MemoryWorkloadAnalysis",
  "MemoryWorkloadAnalysis_Tables",
  "Occupancy",
  "LaunchStats",
];
const shown =
  /^(Duration|Compute \(SM\) Throughput|Memory Throughput|DRAM Throughput|L2 Hit Rate|Achieved Occupancy|Registers Per Thread)$/;

/** Rows of the profiler's CSV; fields are quoted, quotes inside doubled. */
export function parseCsv(text: string): Record<string, string>[] {
  const lines = text.split("\n").filter((line) => line.startsWith('"'));
  const cells = (line: string) =>
    [...line.matchAll(/"((?:[^"]|"")*)"(?:,|\r?$)/g)].map(([, cell]) =>
      (cell as string).replaceAll('""', '"'),
    );
  const [heading, ...rows] = lines.map(cells);
  return rows.map((row) => Object.fromEntries((heading ?? []).map((name, i) => [name, row[i] ?? ""])));
}

export default async function ncu(part: Part): Promise<void> {
  requireGpu();
  const tool = requireTool("ncu");
  const sections = SECTIONS.flatMap((name) => ["--section", name]);
  // The convolutions alone: what makes their operands is not of interest and would take the time.
  const which = ["--kernel-name", "regex:halo_conv|gemm|weight_gradient", "--launch-count", "8"];
  const how = ["--csv", "--page", "details", "--clock-control", "none", "--target-processes", "all"];
  const args = [...how, ...which, ...sections];
  const { code, said } = await underTool(tool, args, "kernels");
  writeFileSync(join(outFolder(), "ncu.txt"), said);
  const metrics: Record<string, Record<string, string>> = {};
  for (const row of parseCsv(said)) {
    const { ID = "", "Kernel Name": kernel = "", "Metric Name": name = "" } = row;
    if (!shown.test(name)) continue;
    const at = `${ID} ${kernel.slice(0, 80)}`;
    metrics[at] = { ...metrics[at], [name]: `${row["Metric Value"]} ${row["Metric Unit"]}` };
  }
  part.fact("metrics", metrics);
  const count = Object.keys(metrics).length;
  const end = said.trim().split("\n").at(-1) ?? "";
  part.check(
    "kernels were profiled",
    code === 0 && count > 0,
    `${count} kernels, exit code ${code}${count ? "" : `: ${end}`}`,
  );
}
