import { add, maskedMse, scale, Tape, tensor } from "../../lib";
import { freeAfterEach } from "../lifetime";

freeAfterEach();

test("a loss of two terms with weights has the gradients of both, weighed", async () => {
  const x = tensor([1, -2, 3], [1, 1, 1, 1, 3], { requiresGrad: true });
  const [a, b] = [tensor([0, 0, 0], x.shape), tensor([1, 1, 1], x.shape)];
  const tape = new Tape();
  const loss = tape.record(() => add(scale(maskedMse(x, a), 0.75), scale(maskedMse(x, b), -3)));
  tape.backward(loss);
  // 0.75 (1 + 4 + 9) / 3 - 3 (0 + 9 + 4) / 3, and (1.5 x - 6 (x - 1)) / 3
  expect(await loss.item()).toBeCloseTo(3.5 - 13, 5);
  const found = await x.grad?.data();
  for (const [i, value] of [0.5, 5, -2.5].entries()) expect(found?.[i]).toBeCloseTo(value, 5);
});

test("what is a power of two is scaled without rounding", async () => {
  const values = Float32Array.from({ length: 1001 }, (_, i) => Math.fround(Math.sin(i)));
  const found = await scale(tensor(values, [1001]), -0.25).data();
  expect([...found]).toEqual([...values].map((v) => -0.25 * v));
});
