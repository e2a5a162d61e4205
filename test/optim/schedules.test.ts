import { constant, perEpoch, poly, type Stage, sequence, stageAt, warmup } from "../../lib/optim/schedules";

describe("pre-training curve (method.md §5 and §11)", () => {
  const lr = perEpoch(poly(1e-2, 250_000, 0.9), 250);
  test.each([
    [0, 1e-2, 12],
    [500, 5.3589e-3, 7],
    [999, 1.995e-5, 8],
  ])("epoch %p: %p", (epoch, expected, digits) => {
    for (const step of [epoch * 250, epoch * 250 + 249]) expect(lr(step)).toBeCloseTo(expected, digits);
  });

  test("per step it falls strictly, from the base to 0", () => {
    const smooth = poly(1e-2, 1000);
    expect(smooth(0)).toBe(1e-2);
    expect(smooth(1000)).toBe(0);
    expect(smooth(5000)).toBe(0);
    for (let step = 0; step < 1000; step++) expect(smooth(step + 1)).toBeLessThan(smooth(step));
  });
});

describe("fine-tuning stages (method.md §7.3, in epochs)", () => {
  const stages: Stage[] = [{ steps: 50, schedule: warmup(1e-3, 50) }, { schedule: poly(1e-3, 950) }];
  test.each([
    [0, 2e-5],
    [49, 1e-3],
    [50, 1e-3],
    [525, 5.36e-4],
    [999, 2.09e-6],
  ])("warm-up then poly, epoch %p: %p", (epoch, expected) => {
    expect(sequence(stages)(epoch) / expected).toBeCloseTo(1, 2);
  });

  const sawtooth: Stage[] = [
    { steps: 25, schedule: warmup(1e-3, 25) },
    { steps: 25, schedule: poly(1e-3, 25) },
    { steps: 50, schedule: warmup(1e-3, 50) },
    { schedule: poly(1e-3, 900) },
  ];
  test.each([
    [0, 1e-3 / 25, 0],
    [24, 1e-3, 0],
    [25, 1e-3, 1],
    [49, 1e-3 * (1 / 25) ** 0.9, 1],
    [50, 1e-3 / 50, 2],
    [99, 1e-3, 2],
    [100, 1e-3, 3],
    [999, 1e-3 * (1 / 900) ** 0.9, 3],
    [1000, 0, 3],
    [1e6, 0, 3],
  ])("sawtooth, epoch %p: %p in stage %p", (epoch, expected, stage) => {
    expect(sequence(sawtooth)(epoch)).toBeCloseTo(expected, 12);
    expect(stageAt(sawtooth, epoch)).toBe(stage);
  });
});

test("a schedule remembers nothing: any order gives the same values", () => {
  const lr = sequence([
    { steps: 5, schedule: warmup(1, 5) },
    { steps: 3, schedule: constant(0.5) },
    { schedule: poly(1, 10) },
  ]);
  const forwards = Array.from({ length: 30 }, (_, i) => lr(i));
  const backwards = Array.from({ length: 30 }, (_, i) => lr(29 - i)).reverse();
  expect(backwards).toEqual(forwards);
  expect(forwards.slice(3, 9)).toEqual([0.8, 1, 0.5, 0.5, 0.5, 1]);
});

test.each<[string, () => unknown, RegExp]>([
  ["no stage", () => sequence([]), /at least one stage/],
  [
    "open stage in the middle",
    () => sequence([{ schedule: constant(1) }, { schedule: constant(1) }]),
    /stage 0 .* found NaN/,
  ],
  ["no length", () => poly(1, 0), /whole number of steps from 1, found 0/],
  ["negative rate", () => constant(-1), /not negative, found -1/],
  ["NaN rate", () => warmup(Number.NaN, 5), /finite and not negative, found NaN/],
  ["negative step", () => poly(1, 5)(-1), /whole step from 0, found -1/],
  ["broken step", () => constant(1)(0.5), /whole step from 0, found 0.5/],
  ["NaN step", () => warmup(1, 3)(Number.NaN), /whole step from 0, found NaN/],
])("refuses %s", (_, f, expected) => {
  expect(f).toThrow(expected);
});
