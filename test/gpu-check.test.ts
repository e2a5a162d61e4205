/** What becomes of the stages' results: table, results.json and the ratios, from recorded outputs. */
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative, resolve } from "node:path";
import type { KernelTime, PartData, StepTime } from "../bench/gpu/part";
import { compareKernels, compareSteps, deviations, targetsOf } from "../bench/gpu/ratios";
import { collect, type StageRecord, table } from "../bench/gpu/report";
import { parseCsv } from "../bench/gpu/stages/ncu";
import { Peer } from "../bench/peers/peer";

const kernel = (
  by: KernelTime["by"],
  how: string,
  seconds: number,
  more: Partial<KernelTime> = {},
): KernelTime => ({
  ...{ layer: "32 to 32, 160³ × 1", pass: "forward", precision: "bf16", flops: 2e9 },
  ...{ by, how, seconds, ...more },
});
const kernels = [
  kernel("voxelspark", "75 % masked", 0.001, { flops: 5e8 }),
  kernel("voxelspark", "dense", 0.002),
  kernel("PyTorch", "contiguous", 0.006, { kernels: ["cudnn_ndhwc_wgmma"] }),
  kernel("PyTorch", "channels_last", 0.005, { failed: "out of memory" }),
  kernel("PyTorch", "contiguous", 0.001, { precision: "fp32" }),
  kernel("PyTorch", "contiguous", 0.001, { pass: "grad_input" }),
];
const step = (by: string, ratio: number, seconds: number, peakBytes: number): StepTime => ({
  ...{ by, how: "", precision: by === "voxelspark" ? "bf16" : "fp16", ratio, seconds, peakBytes },
  quartiles: [seconds, seconds],
});
const steps = [
  step("voxelspark", 0.75, 0.1, 12e9),
  step("PyTorch as published", 0.75, 0.5, 40e9),
  step("PyTorch at its best", 0.75, 0.2, 30e9),
  step("PyTorch at its best", 0.9, 0.2, 30e9),
];

describe("ratios", () => {
  test("a pass stands beside the peer's fastest layout of its own precision; failed ones do not count", () => {
    const [masked, dense, ...rest] = compareKernels(kernels);
    expect(rest).toEqual([]);
    expect(masked).toMatchObject({
      timesFaster: 6,
      ours: { tflops: 0.5 },
      peer: { tflops: 2e9 / 0.006 / 1e12 },
    });
    expect(masked?.peer.name).toBe("PyTorch bf16, contiguous (cudnn_ndhwc_wgmma)");
    expect(dense).toMatchObject({ timesFaster: 3, what: "bf16 forward, 32 to 32, 160³ × 1, dense" });
  });

  test("a step stands beside every peer at the same share of masked blocks", () =>
    expect(compareSteps(steps).map(({ what, timesFaster }) => [what, timesFaster])).toEqual([
      ["bf16, 75 % masked", 5],
      ["bf16, 75 % masked", 2],
    ]));

  test("of a peer's ways the fastest counts, of ours each", () => {
    const rows = [
      ...[step("voxelspark", 0.75, 0.1, 1), { ...step("voxelspark", 0.75, 0.2, 1), how: "wgmma shared" }],
      ...["contiguous", "channels_last"].map((how, i) => ({
        ...step("PyTorch at its best", 0.75, 0.6 - i / 5, 1),
        how,
      })),
    ];
    expect(
      compareSteps(rows).map(({ what, peer, timesFaster }) => [what, peer.name, Math.round(timesFaster)]),
    ).toEqual([
      ["bf16, 75 % masked", "PyTorch at its best, fp16, channels_last", 4],
      ["bf16 wgmma shared, 75 % masked", "PyTorch at its best, fp16, channels_last", 2],
    ]);
  });

  test("bits and errors are targets too", () => {
    const check = (what: string, ok: boolean) => ({ what, ok, says: "" });
    const checks = [
      check("bf16 conv, twice", true),
      check("bf16: the same steps twice, the same bits", false),
    ];
    const off = (what: string, error: number, own: number) => ({ what, precision: "bf16", error, own });
    const found = targetsOf([], [], checks, [
      off("a", 2e-3, 2e-3),
      off("b", 3e-3, 1e-3),
      off("exact", 1e-6, 0),
    ]);
    expect(found).toMatchObject([
      { found: "1 of 2 repetitions", met: false },
      { found: "3.00 times, b", met: false },
    ]);
  });

  test("curves are held against PyTorch's in float32", () => {
    const curve = (by: string, precision: string, losses: number[]) => ({ by, precision, losses });
    const all = [curve("voxelspark", "bf16", [1, 0.55]), curve("PyTorch", "fp32", [1, 0.5])];
    expect(deviations(all)[0]).toMatchObject({ worst: expect.closeTo(0.1, 9), last: 0.55 });
    expect(deviations([curve("voxelspark", "bf16", [1]), all[1]!])[0]?.worst).toBeNaN();
  });

  test("targets are reached or missed by the figures of this run alone", () => {
    const found = targetsOf(compareKernels(kernels), compareSteps(steps));
    expect(found.map(({ what, met }) => [what, met])).toEqual([
      ["step beside PyTorch as published", true],
      ["step beside PyTorch at its best", false],
      ["peak memory of the step", true],
      ["dense 32 to 32 forward beside cuDNN", true],
    ]);
    expect(targetsOf([], [])).toEqual([]);
  });
});

const record = (name: string, code: number, said = ""): StageRecord => ({
  name,
  limit: 20,
  code,
  seconds: 3,
  said,
});
const parts = new Map<string, PartData>([
  ["kernels", { kernels }],
  ["step", { steps, checks: [{ what: "one", ok: false, says: "error 1e-1, allowed 1e-3" }] }],
  ["curves", { reason: "no GPU: there is no NVIDIA driver" }],
  ["mixed", { running: "bf16 conv3d 64 to 64" }],
]);
const records = [
  record("kernels", 124),
  record("step", 1),
  record("curves", 1),
  record("ncu", 1, "\nncu broke\n"),
  record("mixed", 137),
];

test("every stage that is not well has its reason, and a cut-off keeps its figures", () => {
  const results = collect(records, parts, false);
  expect(results.ok).toBe(false);
  expect(results.stages.map(({ outcome, reason }) => [outcome, reason])).toEqual([
    ["cut off", "longer than 20 s"],
    ["failed", "1 checks: one: error 1e-1, allowed 1e-3"],
    ["failed", "no GPU: there is no NVIDIA driver"],
    ["failed", "ncu broke"],
    ["failed", "killed, at: bf16 conv3d 64 to 64"],
  ]);
  expect(results.comparisons).toHaveLength(4);
  const text = table(results);
  expect(text).toMatch(/^bf16 32 to 32, 160³ × 1, dense +1\.0 +- +- +0\.3 +- +- +3\.00 +- +-$/m);
  expect(text).toMatch(
    /^bf16, 75 % masked +100\.0 +12\.00 +500\.0 +40\.00 +5\.00 +PyTorch as published, fp16$/m,
  );
  expect(text).toMatch(/NOT everything is well\n$/);
});

test("nothing measured is nothing claimed: no stages, or a dry run", () => {
  expect(collect([], new Map(), false)).toMatchObject({ ok: false, comparisons: [], targets: [] });
  const rehearsal = collect([record("step", 0)], new Map([["step", { steps }]]), true);
  expect(rehearsal).toMatchObject({ ok: true, targets: [] });
  expect(table(rehearsal)).toMatch(/^DRY RUN/);
});

test("the profiler's CSV, with quotes and commas inside", () =>
  expect(
    parseCsv('==PROF== done\n"ID","Kernel Name","Metric Value"\n"0","f<""a"", 3>(int, int)","1,234.5"\n'),
  ).toEqual([{ ID: "0", "Kernel Name": 'f<"a", 3>(int, int)', "Metric Value": "1,234.5" }]));

test("a Node that does not start is the one thing said, in results.json too", () => {
  const out = mkdtempSync(join(tmpdir(), "voxelspark-check-"));
  try {
    const { status, stdout } = spawnSync("bash", [resolve(__dirname, "../bench/gpu/check.sh")], {
      encoding: "utf8",
      env: { ...process.env, NODE_BIN: "/nowhere/node", OUT: out },
    });
    expect(status).toBe(2);
    expect(stdout).toMatch(/^NODE_BIN is '\/nowhere\/node', which does not start: .*\n$/);
    expect(JSON.parse(readFileSync(join(out, "results.json"), "utf8"))).toMatchObject({ ok: false });
  } finally {
    rmSync(out, { recursive: true, force: true });
  }
});

describe("peers", () => {
  const folder = resolve(__dirname, "../bench/peers");
  const own = mkdtempSync(join(tmpdir(), "voxelspark-peer-"));
  afterAll(() => rmSync(own, { recursive: true, force: true }));

  // A wrong kernel is what the check is for: its NaN must not end the stage that meets it.
  test("numbers that JSON does not have arrive as null", () => {
    const program = `
import sys
sys.modules["torch"] = type(sys)("torch")
sys.path.insert(0, sys.argv[1])
import protocol
protocol.say({"errors": {"y": float("nan"), "x": 0.5}, "losses": [1.0, float("inf")], "kernels": ["nan"]})`;
    const { stdout, stderr } = spawnSync("python3", ["-c", program, folder], { encoding: "utf8" });
    expect(stderr).toBe("");
    expect(JSON.parse(stdout)).toEqual({ errors: { y: null, x: 0.5 }, losses: [1, null], kernels: ["nan"] });
  });

  test("what a library prints between the answers is not taken for one", async () => {
    const script = join(own, "peer.cjs");
    writeFileSync(
      script,
      `console.log("a warning\\n{\\"ready\\": 1}\\nNaN");
      process.stdin.once("data", () => console.log('tuned\\n{"seconds": null}'));`,
    );
    const { peer, ready } = await Peer.start(process.execPath, relative(folder, script), []);
    try {
      expect(ready).toEqual({ ready: 1 });
      expect(await peer.ask({ cmd: "step" })).toEqual({ seconds: null });
    } finally {
      peer.stop();
    }
  });
});
