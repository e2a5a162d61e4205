import { diceCrossEntropy, Tape, type Tensor, tensor } from "../../lib";
import { checkGolden } from "../golden/check";
import { freeAfterEach } from "../lifetime";

freeAfterEach();

checkGolden(
  "dice_cross_entropy",
  ({ logits, labels }, { attributes }) => {
    const { regions, ignore, batch, smooth, weights } = attributes;
    return {
      loss: diceCrossEntropy(logits as Tensor, labels as Tensor, {
        ...(regions && { regions }),
        ...(ignore !== null && { ignore }),
        batchDice: batch,
        smooth,
        diceWeight: weights[0],
        ceWeight: weights[1],
      }),
    };
  },
  { constants: ["labels"] },
);

const shape = [1, 3, 2, 2, 2] as const;
/** Loss and gradient for logits that favour `favoured` by `strength`. */
async function lossOf(labels: number[], favoured: number[], strength: number, options = {}) {
  const values = new Float32Array(24);
  for (const [v, c] of favoured.entries()) values[c * 8 + v] = strength;
  using logits = tensor(values, shape, { requiresGrad: true });
  using target = tensor(labels, [1, 1, 2, 2, 2]);
  const tape = new Tape();
  using loss = tape.record(() => diceCrossEntropy(logits, target, options));
  tape.backward(loss);
  return { loss: await loss.item(), gradient: await (logits.grad as Tensor).data() };
}

test("a perfect prediction has cross-entropy 0 and Dice 1", async () => {
  const labels = [0, 1, 2, 1, 0, 0, 2, 2];
  const { loss, gradient } = await lossOf(labels, labels, 200);
  expect(loss).toBeCloseTo(-1, 6);
  expect(Math.max(...gradient.map(Math.abs))).toBeLessThan(1e-6);
});

test("labels that are none get no gradient and change nothing, however wrong", async () => {
  const favoured = [0, 1, 2, 1, 0, 0, 2, 2];
  const wanted = await lossOf([0, 1, 2, 2, 0, 9, 1, 9], favoured, 2, { ignore: 9 });
  for (const wrong of [-1, 200, 1.00001, -0.5, Number.NaN, Number.POSITIVE_INFINITY, 3e9]) {
    const found = await lossOf([0, 1, 2, 2, 0, wrong, 1, wrong], favoured, 2);
    expect(found).toEqual(wanted);
  }
  for (let c = 0; c < 3; c++) for (const v of [5, 7]) expect(wanted.gradient[c * 8 + v]).toBe(0);
  expect(wanted.gradient.some((g) => g !== 0)).toBe(true);
});

test("nothing counted: no cross-entropy, no gradient", async () => {
  const { loss, gradient } = await lossOf(new Array(8).fill(-1), new Array(8).fill(1), 3);
  expect(loss).toBe(-1); // smooth / smooth
  expect(gradient.every((g) => g === 0)).toBe(true);
});

test("NaN logits make the loss NaN, huge ones do not", async () => {
  const labels = [0, 1, 2, 1, 0, 0, 2, 2];
  expect((await lossOf(labels, labels, Number.NaN)).loss).toBeNaN();
  for (const strength of [1e4, 3e38])
    expect((await lossOf(labels, labels, strength)).loss).toBeCloseTo(-1, 6);
  expect((await lossOf(labels, [1, 2, 0, 0, 1, 1, 0, 0], 1e4)).loss).toBeCloseTo(1e4, 0);
});
