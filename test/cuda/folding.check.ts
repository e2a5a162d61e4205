/** Folded convolutions of 16-bit features; see folding-cases.ts. */
import { freeAfterEach } from "../lifetime";
import { forget, schedules } from "./control";
import { checkFolded, folded } from "./folding-cases";
import { types } from "./half";

freeAfterEach();
afterAll(forget);

describe.each(types)("%s", (dtype) => {
  test.each(Object.entries(folded))("%s", (name, c) =>
    checkFolded(name, c, dtype, [schedules[0]!, schedules[3]!]),
  );
});
