/** Compares an op with its golden values: outputs and all gradients, on the CPU device and on the reference. */
import { type DeviceName, Tape, type Tensor, tensor } from "../../lib";
import type { BlockMask } from "../../lib/block-mask";
import { looseMask } from "../masks";
import { type GoldenCase, type GoldenTensor, goldenCases } from "./golden";

export type Named = Record<string, Tensor>;

/** Largest difference, relative to the largest wanted value. */
export function relativeError(found: ArrayLike<number>, wanted: ArrayLike<number>): number {
  let worst = 0;
  let scale = 0;
  for (let i = 0; i < wanted.length; i++) {
    const error = Math.abs((found[i] as number) - (wanted[i] as number));
    worst = error > worst || Number.isNaN(error) ? error : worst;
    scale = Math.max(scale, Math.abs(wanted[i] as number));
  }
  return worst / Math.max(scale, 1e-30);
}

export async function expectClose(found: Tensor, wanted: GoldenTensor, tolerance: number): Promise<void> {
  const data = await found.data();
  expect(data.length).toBe(wanted.data.length);
  expect(relativeError(data, wanted.data)).toBeLessThanOrEqual(tolerance);
}

export interface GoldenCheck {
  /** Largest allowed difference relative to the largest value; default 2e-6. */
  tolerance?: number;
  /** Inputs that are stored sparse under the case's mask. */
  masked?: readonly string[];
  /** Inputs that want no gradient. */
  constants?: readonly string[];
}

/** Declares a test per golden case and device. `run` gives outputs by name. */
export function checkGolden(
  op: string,
  run: (inputs: Named, c: GoldenCase, mask: BlockMask | undefined) => Named,
  { tolerance = 2e-6, masked = [], constants = [] }: GoldenCheck = {},
): void {
  const cases = goldenCases(op).flatMap((c) =>
    (["cpu", "reference"] as const).map((device) => [`${op} ${c.name} on ${device}`, device, c] as const),
  );
  test.each(cases)("golden %s", async (_, device: DeviceName, c) => {
    const mask = c.mask ? looseMask(c.mask) : undefined;
    const inputs: Named = {};
    for (const [name, t] of Object.entries(c.inputs))
      inputs[name] = tensor(t.data, t.shape, {
        device,
        requiresGrad: !constants.includes(name),
        mask: masked.includes(name) ? mask : undefined,
      });
    const tape = new Tape();
    const outputs = tape.record(() => run(inputs, c, mask));
    for (const [name, t] of Object.entries(c.outputs))
      await expectClose(outputs[name] as Tensor, t, tolerance);
    const [name, gradient] = Object.entries(c.upstream)[0] as [string, GoldenTensor];
    const y = outputs[name] as Tensor;
    tape.backward(y, tensor(gradient.data, y.shape, { device, mask: y.mask }));
    for (const [name, t] of Object.entries(c.grads))
      await expectClose((inputs[name] as Tensor).grad as Tensor, t, tolerance);
    for (const t of [...Object.values(inputs), ...Object.values(outputs)]) t.dispose();
    mask?.dispose();
  });
}
