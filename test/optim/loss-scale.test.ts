import { LossScale, maskedMse, SGD, type SGDOptions, Tape, tensor } from "../../lib";
import { freeAfterEach } from "../lifetime";

freeAfterEach();

test("halves after each step that was not finite, doubles after 2000 good ones in a row", () => {
  const scale = new LossScale();
  expect(scale.value).toBe(65536);
  scale.update(false);
  scale.update(false);
  expect(scale.state()).toEqual({ scale: 16384, goodSteps: 0 });
  for (let i = 0; i < 1999; i++) scale.update(true);
  scale.update(false);
  expect(scale.state()).toEqual({ scale: 8192, goodSteps: 0 });
  for (let i = 0; i < 2000; i++) scale.update(true);
  expect(scale.state()).toEqual({ scale: 16384, goodSteps: 0 });
});

test("a saved state goes on as if nothing had been; anything else is refused", () => {
  const [scale, other] = [new LossScale(), new LossScale()];
  for (let i = 0; i < 1500; i++) scale.update(true);
  other.load(JSON.parse(JSON.stringify(scale.state())));
  for (let i = 0; i < 500; i++) other.update(true);
  expect(other.state()).toEqual({ scale: 131072, goodSteps: 0 });
  for (const bad of [undefined, {}, { scale: 0, goodSteps: 1 }, { scale: 2, goodSteps: 0.5 }])
    expect(() => other.load(bad)).toThrow(expect.objectContaining({ code: "ERR_VOXELSPARK_CHECKPOINT" }));
});

test.each([0, 0.01])(
  "a power of two changes no bit of norm, weight and momentum, clipped at %p",
  async (clip) => {
    const run = async (more: SGDOptions) => {
      const w = tensor([0.3, -0.7, 1.1], [1, 1, 1, 1, 3], { requiresGrad: true });
      const target = tensor([1, 2, 3], [1, 1, 1, 1, 3]);
      using optimizer = new SGD([["w", w]], {
        momentum: 0.9,
        nesterov: true,
        weightDecay: 0.1,
        clip,
        ...more,
      });
      const norms: number[] = [];
      for (let step = 0; step < 5; step++) {
        const tape = new Tape();
        optimizer.backward(
          tape,
          tape.record(() => maskedMse(w, target)),
        );
        norms.push(await optimizer.step(0.05).item());
        optimizer.zeroGrad();
      }
      return [norms, await w.data(), await optimizer.state().get("w")?.data()];
    };
    expect(await run({ lossScale: new LossScale() })).toEqual(await run({}));
  },
);

test("a scale that is not above 0 is refused", () => {
  const w = tensor([1], [1], { requiresGrad: true });
  w.grad = tensor([1], [1]);
  const scale = new LossScale();
  scale.load({ scale: Number.POSITIVE_INFINITY, goodSteps: 0 });
  using optimizer = new SGD([["w", w]], { lossScale: scale });
  expect(() => optimizer.step(0.1)).toThrow(expect.objectContaining({ code: "ERR_VOXELSPARK_RANGE" }));
});
