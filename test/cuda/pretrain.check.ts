/** The command `pretrain --device cuda` on the emulated device, as users call it. */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Finished, jsonOf, planFile, startWith } from "../cli/cli";
import { tinyCases } from "../fixtures";
import { steer } from "./control";

const folder = mkdtempSync(join(tmpdir(), "voxelspark-cuda-"));
const [cases, at] = [join(folder, "cases"), (name: string) => join(folder, name)];
beforeAll(() => tinyCases(cases));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function pretrain(out: string, device: "cpu" | "cuda", ...more: string[]) {
  const plan = planFile(folder, { steps: 3, validation: { every: 3, patches: 1 } });
  return startWith(
    {},
    "pretrain",
    "--data",
    cases,
    "--out",
    at(out),
    ...plan,
    "--device",
    device,
    "--json",
    ...more,
  );
}

const losses = (out: string) =>
  readFileSync(join(at(out), "metrics.jsonl"), "utf8")
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as { loss?: number })
    .flatMap(({ loss }) => (loss === undefined ? [] : [loss]));
const checkpoints = (out: string) => readdirSync(at(out)).filter((name) => name.startsWith("step-"));
const well = ({ code, stderr }: Finished) =>
  expect({ code, stderr }).toEqual({ code: 0, stderr: expect.anything() });

test("learns as on the CPU, and says where it runs", async () => {
  const [cpu, cuda] = await Promise.all([pretrain("cpu", "cpu").finished, pretrain("cuda", "cuda").finished]);
  well(cpu);
  well(cuda);
  expect(cuda.stderr).toMatch(/cuda \(emulated device\)/);
  expect(losses("cuda")).toHaveLength(3);
  losses("cpu").forEach((loss, i) => {
    expect(Math.abs((losses("cuda")[i] as number) / loss - 1)).toBeLessThan(1e-4);
  });
});

test("a device that fails in the middle: a typed error, the last checkpoint is whole and goes on", async () => {
  const run = pretrain("failing", "cuda");
  steer({ launches: 250 }, run.child.pid);
  const failed = await run.finished;
  expect(failed.code).toBe(1);
  expect(failed.stderr).toMatch(/CUDA failed in .+: cudaErrorLaunchFailure/);
  expect(checkpoints("failing").length).toBeGreaterThan(0);
  expect(checkpoints("failing").length).toBeLessThan(3);
  const resumed = await pretrain("failing", "cuda", "--resume").finished;
  well(resumed);
  expect(jsonOf(resumed)).toMatchObject({ step: 3, reason: "finished" });
  expect(losses("failing").at(-1)).toBe(losses("cuda").at(-1));
});
