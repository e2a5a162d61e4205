/** Threads and processes that end while native work runs: no crash, no hang, nothing said. */
import { run } from "./scenario";

test.each([
  ["worker only", 20],
  ["terminate during launches", 20],
  ["terminate during reads", 20],
  ["workers beside the main thread", 3],
  ["exit with live tensors", 1],
  ["exit with launches in the queue", 3],
  ["end with live tensors", 1],
  ["exit without waiting for a worker", 1],
])("%s, %i times", async (scenario, cycles) => {
  expect(await run(scenario, cycles)).toEqual({ code: 0, signal: null, stderr: "" });
});

test("an uncaught error with work in flight is reported as such", async () => {
  const { code, signal, stderr } = await run("an uncaught error with work in flight", 1);
  expect({ code, signal }).toEqual({ code: 1, signal: null });
  expect(stderr).toContain("on purpose");
});
