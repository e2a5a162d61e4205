/** Normalisations pending on what CUDA convolutions load: every engine, both 16-bit types and float32. */
import { freeAfterEach } from "../lifetime";
import { forget, schedules } from "./control";
import { checkPending } from "./pending-cases";
import { type Case, cases, halo } from "./tensor-cases";

freeAfterEach();
afterAll(forget);

const all = Object.entries<Case>({ ...cases, ...halo });

test.each(all)("bfloat16: %s", (name, c) => checkPending(name, c, "bfloat16", schedules.slice(2)));
test.each(all)("float16: %s", (name, c) => checkPending(name, c, "float16", schedules.slice(1, 2)));
test.each(
  all.filter(
    ([
      ,
      {
        channels: [a, b],
      },
    ]) => a * b < 1500,
  ),
)("float32: %s", (name, c) => checkPending(name, c, "float32", schedules.slice(0, 1)));
