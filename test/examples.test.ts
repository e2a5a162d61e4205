/** The scripts of examples/, run as their first comment says, print what they promise. */
import { execFile } from "node:child_process";
import { readdirSync } from "node:fs";
import { join, resolve } from "node:path";
import { promisify } from "node:util";

const root = resolve(__dirname, "..");

async function run(name: string): Promise<string> {
  const { stdout, stderr } = await promisify(execFile)(
    process.execPath,
    ["--import", "tsx", join("examples", name)],
    {
      cwd: root,
    },
  );
  expect(stderr).toBe("");
  return stdout;
}

const examples: Record<string, (output: string) => void> = {
  "gradient-check.ts": (output) =>
    expect(
      Number(/^largest difference between tape and finite differences: (\S+)\n$/.exec(output)![1]),
    ).toBeLessThan(1e-8),
  "masked-convolution.ts": (output) => {
    expect(output).toMatch(
      /^dense [\d.]+ ms, 25 % visible [\d.]+ ms\nthe mask takes \d+ % of the dense time\n$/,
    );
    // A quarter of the work; generous, since other tests run meanwhile.
    expect(Number(/takes (\d+) %/.exec(output)![1])).toBeLessThan(70);
  },
  "training-loop.ts": (output) => {
    const [, first, last] = /^masked MSE: first 20 steps ([\d.]+), last 20 steps ([\d.]+)\n$/.exec(output)!;
    expect(Number(last)).toBeLessThan(Number(first));
  },
};

test.each(Object.entries(examples))("%s", async (name, check) => check(await run(name)), 120_000);

test("every example is run here", () => {
  const scripts = readdirSync(join(root, "examples")).filter((name) => name.endsWith(".ts"));
  expect(scripts.sort()).toEqual(Object.keys(examples));
});
