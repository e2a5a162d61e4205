import { createPlan } from "../../lib/plans/plan";
import { splitCases } from "../../lib/plans/split";
import { rng } from "../../lib/random";

const cases = Array.from({ length: 60 }, (_, i) => ({ id: `case${i}`, subject: `sub${Math.floor(i / 2)}` }));
const plan = createPlan({ seed: 4 }, "s3d");

test("whole subjects are held out, every case is in one part", () => {
  const { training, validation } = splitCases(cases, plan);
  expect(validation).toHaveLength(10); // 5 of 30 subjects
  expect([...training, ...validation].sort()).toEqual(cases.map((c) => c.id).sort());
  const subjectOf = new Map(cases.map((c) => [c.id, c.subject]));
  const held = new Set(validation.map((id) => subjectOf.get(id)));
  expect(held.size).toBe(5);
  expect(training.some((id) => held.has(subjectOf.get(id)))).toBe(false);
});

test("depends on the seed alone, not on the order of the cases", () => {
  const split = splitCases(cases, plan);
  expect(splitCases(rng(1, 0, "test").shuffle(cases.slice()), plan)).toEqual(split);
  expect(splitCases(cases, createPlan({ seed: 5 })).validation).not.toEqual(split.validation);
});

test("one subject, or none, trains without validation", () => {
  expect(splitCases(cases.slice(0, 2), plan)).toEqual({ training: ["case0", "case1"], validation: [] });
  expect(splitCases([], plan)).toEqual({ training: [], validation: [] });
  expect(splitCases(cases, createPlan({ validation: { minSubjects: 0, fraction: 0 } })).validation).toEqual(
    [],
  );
});
