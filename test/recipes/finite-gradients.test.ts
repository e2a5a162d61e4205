import { FiniteGradients } from "../../lib/recipes/finite-gradients";

test("a run ends after twenty steps in a row without a finite gradient, not before", () => {
  const gradients = new FiniteGradients();
  for (let step = 0; step < 19; step++) gradients.check(Number.NaN, step, 0.01);
  gradients.check(1, 19, 0.01);
  for (let step = 20; step < 39; step++) gradients.check(Number.POSITIVE_INFINITY, step, 0.01);
  expect(() => gradients.check(Number.NaN, 39, 0.01)).toThrow(
    expect.objectContaining({
      code: "ERR_VOXELSPARK_NON_FINITE",
      message: expect.stringMatching(/20 steps up to step 39; lower the learning rate \(0\.01\)/),
    }),
  );
});
