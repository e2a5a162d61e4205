/** Steers the emulator that this process has loaded; see emulator/control.h. */
import { renameSync, rmSync, writeFileSync } from "node:fs";

export interface Steering {
  order?: "ascending" | "descending" | "drawn" | "starved";
  /** Of an order that is drawn; the warp that is starved. */
  seed?: number;
  /** How many kernels run before one fails; -1: none does. */
  launches?: number;
  /** Bytes of the device. */
  memory?: number;
  /** Which asynchronous instructions take effect as late as is allowed and not at once. */
  late?: "nothing" | "copies" | "products" | "both";
  /** Which streams do their work as late as is allowed: those of threads, with kernels, or those that were created. */
  lateStreams?: "none" | "threads" | "created" | "both";
  /** What goes wrong with a CUDA graph. */
  graph?: "nothing" | "begin" | "capture" | "memory";
  /** Compute capability times 10. */
  capability?: number;
}

const file = (pid = process.pid) => `${process.env.VOXELSPARK_EMULATOR_CONTROL}${pid}`;

/** Holds for kernels that start from now on, in this process or another; `{}`: everything is ordinary again. */
export function steer(steering: Steering = {}, pid?: number): void {
  const { order = "ascending", seed = 0, launches = -1, memory = 2 ** 33 } = steering;
  const capability = steering.capability ?? Number(process.env.VOXELSPARK_EMULATOR_CAPABILITY ?? 80);
  const { late = "nothing", lateStreams = "none", graph = "nothing" } = steering;
  const number = ["ascending", "descending", "drawn", "starved"].indexOf(order);
  const delay = ["nothing", "copies", "products", "both"].indexOf(late);
  const streams = 4 * ["none", "threads", "created", "both"].indexOf(lateStreams);
  const failure = ["nothing", "begin", "capture", "memory"].indexOf(graph);
  const all = [number, seed, launches, memory, delay + streams, capability, failure];
  // As a whole: the emulator's threads may be reading.
  writeFileSync(`${file(pid)}.new`, `${all.join(" ")}\n`);
  renameSync(`${file(pid)}.new`, file(pid));
}

export const forget = () => rmSync(file(), { force: true });

/** The schedules under which a kernel must give the same bits. */
export const schedules: readonly Steering[] = [
  { order: "ascending" },
  { order: "descending", late: "copies" },
  { order: "drawn", seed: 1, late: "products" },
  { order: "drawn", seed: 2, late: "both" },
];

/** Warps that come late to everything: of kernels of 12, two of those that copy and two of those that multiply. */
export const starvation: readonly Steering[] = [0, 1, 4, 11].map((seed) => ({
  order: "starved",
  seed,
  late: "both",
}));
