/**
 * Threads and processes that end while an emulated device works: no crash, no hang, nothing said. The emulated driver
 * leaves memory at the end of the process, as a real one does, and complains of every later call.
 */
import { run } from "../teardown/scenario";

test.each([
  ["worker only", 5],
  ["terminate during launches", 5],
  ["terminate during reads", 5],
  ["terminate during captures", 3],
  ["waits beside a capture", 1],
  ["workers beside the main thread", 2],
  ["exit with live tensors", 3],
  ["exit with launches in the queue", 3],
  ["end with live tensors", 1],
  ["exit without waiting for a worker", 3],
])("%s, %i times", async (scenario, cycles) => {
  expect(await run(scenario, cycles)).toEqual({ code: 0, signal: null, stderr: "" });
});
