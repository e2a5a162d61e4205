/** Every test file leaves its devices empty: what one forgets would count in the figures of the next. */
import { openScope } from "../lib/scope";
import { stats, sync } from "../lib/tensor";

afterAll(async () => {
  await sync();
  for (const device of ["cpu", "reference", "null", "cuda"] as const)
    expect([device, stats(device)]).toMatchObject([device, { liveBytes: 0, liveTensors: 0, liveMasks: 0 }]);
});

/** For files whose tests make many tensors and whose subject is not their lifetime: each test frees all it made. */
export function freeAfterEach(): void {
  let close: () => void;
  beforeEach(() => {
    close = openScope();
  });
  afterEach(() => close());
}
