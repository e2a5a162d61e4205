/**
 * One scenario of process and thread teardown, run in a process of its own by teardown.test.ts:
 *   node child.cjs <scenario> [cycles]
 * The raw addon is used, since only it lives across the teardown. With VOXELSPARK_CUDA_LIBRARY on device 'cuda'.
 */
const path = require("node:path");
const { Worker, isMainThread, parentPort, workerData } = require("node:worker_threads");

const cudaLibrary = process.env.VOXELSPARK_CUDA_LIBRARY;
const device = cudaLibrary ? 3 : 0;
// Emulated devices are slow.
const edge = cudaLibrary ? 8 : 32;

const load = () => {
  const addon = require(path.resolve(__dirname, "../../build/Release/voxelspark.node"));
  addon.configure({ threads: 2, cudaLibrary });
  return addon;
};
const kernels = (addon) => JSON.parse(addon.schema()).map((k) => k.name);
const fill = (addon, value) => addon.fill(device, 0, [1, 8, edge, edge, edge], 0, value);

/** Queues a chain of launches whose results nobody frees. */
function launches(addon, count) {
  const id = kernels(addon).indexOf("add_forward");
  let y = fill(addon, 1);
  for (let i = 0; i < count; i++) y = addon.launch(id, [y, y], {})[0].handle;
  return y;
}

const inWorker = {
  async compute() {
    const addon = load();
    await addon.read(launches(addon, 3));
    parentPort.postMessage("done");
  },
  launch() {
    const addon = load();
    for (let i = 0; ; i++) {
      launches(addon, 20);
      if (i === 0) parentPort.postMessage("running");
    }
  },
  read() {
    const addon = load();
    const y = launches(addon, 15);
    for (let i = 0; i < 4; i++) addon.read(y).catch(() => {});
    addon.sync().catch(() => {});
    parentPort.postMessage("running");
  },
  async capture() {
    const addon = load();
    const x = fill(addon, 1);
    await addon.sync();
    addon.beginStep(true);
    addon.launch(kernels(addon).indexOf("add_forward"), [x, x], {});
    parentPort.postMessage("running");
    setInterval(() => {}, 1000);
  },
};

const message = (worker) =>
  new Promise((resolve, reject) => worker.once("message", resolve).once("error", reject));
const ended = (worker) => new Promise((resolve) => worker.once("exit", resolve));

async function cycle(job, cycles, stop) {
  for (let i = 0; i < cycles; i++) {
    const worker = new Worker(__filename, { workerData: { job } });
    const exit = ended(worker);
    await message(worker);
    if (stop) await worker.terminate();
    await exit;
  }
}

const scenarios = {
  /** Only workers load the addon, so that it leaves memory with the last of them. */
  "worker only": (cycles) => cycle("compute", cycles, false),
  "terminate during launches": (cycles) => cycle("launch", cycles, true),
  "terminate during reads": (cycles) => cycle("read", cycles, true),
  async "workers beside the main thread"(cycles) {
    const addon = load();
    const y = launches(addon, 40);
    await Promise.all([
      cycle("compute", cycles, false),
      cycle("launch", cycles, true),
      cycle("read", cycles, true),
    ]);
    const values = await addon.read(y);
    if (values[0] !== 2 ** 40) throw new Error(`the main thread read ${values[0]}`);
  },
  "terminate during captures": (cycles) => cycle("capture", cycles, true),
  /** A wait of one thread leaves the graph of another as it is. */
  async "waits beside a capture"() {
    const addon = load();
    const add = kernels(addon).indexOf("add_forward");
    const x = fill(addon, 1);
    await addon.sync();
    addon.beginStep(true);
    const y = addon.launch(add, [x, x], {})[0].handle;
    await cycle("compute", 2, false);
    const step = addon.endStep(false);
    addon.launchStep(step);
    const values = await addon.read(y);
    if (values[0] !== 2) throw new Error(`the graph computed ${values[0]}`);
    addon.disposeStep(step);
  },
  "exit with live tensors"() {
    const addon = load();
    addon.read(launches(addon, 40)).catch(() => {});
    process.exit(0);
  },
  /** Nobody waits for what is queued. */
  "exit with launches in the queue"() {
    launches(load(), 2000);
    process.exit(0);
  },
  "end with live tensors"() {
    launches(load(), 5);
  },
  "exit without waiting for a worker"() {
    const worker = new Worker(__filename, { workerData: { job: "launch" } });
    worker.once("message", () => process.exit(0));
  },
  "an uncaught error with work in flight"() {
    const addon = load();
    addon.read(launches(addon, 40)).catch(() => {});
    throw new Error("on purpose");
  },
};

if (isMainThread) Promise.resolve(scenarios[process.argv[2]](Number(process.argv[3] ?? 1)));
else inWorker[workerData.job]();
