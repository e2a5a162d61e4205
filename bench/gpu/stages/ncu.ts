/** The profiler's view of the costliest convolution: how busy are multiprocessors, tensor cores and memory. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { again } from "../children";
import { groupForms } from "../forms";
import { outFolder, type Part, requireGpu } from "../part";
import { requireTool } from "./sanitizer";

const SECTIONS = [
  "SpeedOfLight",
  "ComputeWorkloadAnalysis",
  "WarpStateStats",
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

type Metrics = Record<string, Record<string, string>>;

function metricsOf(said: string): Metrics {
  const metrics: Metrics = {};
  for (const row of parseCsv(said)) {
    const { ID = "", "Kernel Name": kernel = "", "Metric Name": name = "" } = row;
    if (!shown.test(name)) continue;
    const at = `${ID} ${kernel.slice(0, 80)}`;
    metrics[at] = { ...metrics[at], [name]: `${row["Metric Value"]} ${row["Metric Unit"]}` };
  }
  return metrics;
}

export default async function ncu(part: Part): Promise<void> {
  requireGpu();
  const tool = requireTool("ncu");
  const sections = SECTIONS.flatMap((name) => ["--section", name]);
  // The convolutions alone: what makes their operands is not of interest and would take the time.
  const kernels = "regex:(halo_conv|halo_group|halo_weight|tensor_gemm|group_gemm|tensor_weight)_kernel";
  const which = ["--kernel-name", kernels, "--launch-count", "3"];
  const how = ["--csv", "--page", "details", "--clock-control", "none", "--target-processes", "all"];
  let text = "";
  for (const form of ["off", ...(await groupForms())] as const)
    await part.attempt(`kernels were profiled, wgmma ${form}`, async () => {
      const env = { VOXELSPARK_CUDA_WGMMA: form };
      const { code, said, cutOff } = await again("kernels", 20, [tool, ...how, ...which, ...sections], env);
      text += `--- wgmma ${form}\n${said}`;
      writeFileSync(join(outFolder(), "ncu.txt"), text);
      const metrics = metricsOf(said);
      part.fact(`metrics, wgmma ${form}`, metrics);
      const count = Object.keys(metrics).length;
      const end = cutOff ? "cut off" : `exit code ${code}`;
      const why = count ? "" : `: ${said.trim().split("\n").at(-1) ?? ""}`;
      part.check(
        `kernels were profiled, wgmma ${form}`,
        code === 0 && count > 0,
        `${count} kernels, ${end}${why}`,
      );
    });
}
