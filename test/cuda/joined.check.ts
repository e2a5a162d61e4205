/** Two joined maps in CUDA convolutions: every engine and type, odd channels, and without a concatenation in memory. */
import { concat, conv3d, resetPeak, scope, stats, sync, type Tensor, zeros } from "../../lib";
import { freeAfterEach } from "../lifetime";
import { forget, schedules, steer } from "./control";
import { checkJoined, joined, odd } from "./joined-cases";

freeAfterEach();
afterAll(forget);

const all = Object.entries({ ...joined, ...odd });

test.each(all)("bfloat16: %s", (name, c) => checkJoined(name, c, "bfloat16", schedules.slice(1, 4)));
test.each(all)("float16: %s", (name, c) => checkJoined(name, c, "float16", schedules.slice(0, 1)));
test.each(all)("float32: %s", (name, c) => checkJoined(name, c, "float32", schedules.slice(2, 3)));

test("nothing as large as the concatenation is made", async () => {
  steer();
  const on = { device: "cuda", dtype: "bfloat16" } as const;
  const [a, b] = [zeros([1, 32, 16, 16, 16], on), zeros([1, 32, 16, 16, 16], on)];
  const weight = zeros([8, 64, 3, 3, 3], { device: "cuda" });
  const needs = async (make: () => Tensor) => {
    await sync();
    const before = stats("cuda").liveBytes;
    resetPeak("cuda");
    scope(make).dispose();
    return stats("cuda").peakBytes - before;
  };
  // Networks allow Winograd convolution, which asks for nothing here.
  const how = { padding: [1, 1, 1], winograd: "f4" } as const;
  const whole = await needs(() => conv3d(concat(a, b), weight, undefined, how));
  const own = await needs(() => conv3d([a, b], weight, undefined, how));
  expect(whole - own).toBe(64 * 16 ** 3 * 2);
});
