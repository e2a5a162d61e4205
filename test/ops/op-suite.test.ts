/** Generic checks over every op that has a record in test/ops/records. */
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { stats } from "../../lib";
import { native } from "../../lib/binding";
import type { OpRecord } from "../op-suite";
import * as checks from "../op-suite-checks";

const folder = join(__dirname, "records");
const records = readdirSync(folder).map((f) => (require(join(folder, f)) as { record: OpRecord }).record);

test("every kernel of ops.def has a record", () => {
  const covered = new Set(records.flatMap((r) => r.kernels));
  const kernels = (JSON.parse(native.schema()) as { name: string }[]).map((k) => k.name);
  expect(kernels.filter((name) => !covered.has(name))).toEqual([]);
});

afterEach(() => native.configure({ isa: native.info().bestIsa }));

const MASKS = 100;
type Check = (record: OpRecord, title: string) => Promise<void>;

const declare = (name: string, applies: (r: OpRecord) => boolean, check: Check) => {
  for (const record of records.filter(applies)) {
    const title = `${record.op}: ${name}`;
    test(title, () => checks.reproducible(title, () => check(record, name)));
  }
};
const everything = () => true;

declare("CPU equals the reference under every instruction set", everything, async (r, c) => {
  for (let i = 0; i < 2; i++) await checks.cpuMatchesReference(r, checks.stream(r.op, c, i));
});
declare("same bits for 1, 2, 3 and 8 threads", everything, (r, c) =>
  checks.threadsAgree(r, checks.stream(r.op, c)),
);
declare(
  "gradients equal central differences in float64",
  (r) => r.gradient !== "none",
  (r, c) => checks.gradientsMatchDifferences(r, checks.stream(r.op, c)),
);
declare(
  "masked op is mask · op(mask · x)",
  (r) => r.maskedIsDense !== undefined,
  (r, c) => checks.maskedEqualsDense(r, checks.stream(r.op, c), MASKS),
);
declare("refuses bad input", everything, async (r) => checks.refusesBadInput(r));
declare("refuses what is no tensor", everything, async (r, c) =>
  checks.refusesNoTensors(r, checks.stream(r.op, c)),
);
declare("dry run infers the shapes", everything, async (r, c) =>
  checks.dryRunHasTheShapes(r, checks.stream(r.op, c)),
);

test("the suite frees what it makes", async () => {
  const [record] = records as [OpRecord];
  const before = stats("cpu").liveTensors;
  await checks.cpuMatchesReference(record, checks.stream(record.op, "memory"));
  expect(stats("cpu").liveTensors).toBe(before);
});
