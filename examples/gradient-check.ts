/**
 * One kernel and its gradient: a masked 3×3×3 convolution, differentiated by the tape and by finite differences.
 * Runs on the reference device in float64, where central differences are exact to rounding for a linear op.
 *
 *   npx tsx examples/gradient-check.ts
 */
import { BlockMask, conv3d, Tape, type Tensor, tensor } from "voxelspark";

const random = (n: number) => Float64Array.from({ length: n }, () => Math.random() * 2 - 1);
const options = { device: "reference", dtype: "float64" } as const;

async function main() {
  const visible = Uint8Array.of(1, 0, 0, 1, 0, 0, 1, 0);
  const mask = new BlockMask({ samples: 1, grid: [2, 2, 2], visible });
  const x = tensor(random(2 * 8 ** 3), [1, 2, 8, 8, 8], { ...options, mask });
  const weights = random(3 * 2 * 27);
  const gradient = random(3 * 8 ** 3); // d loss / d output

  const forward = (w: Tensor) => conv3d(x, w, undefined, { padding: [1, 1, 1] });
  const loss = async (values: Float64Array) => {
    const y = await forward(tensor(values, [3, 2, 3, 3, 3], options)).data();
    return gradient.reduce((sum, g, i) => sum + g * (y[i] as number), 0);
  };

  const w = tensor(weights, [3, 2, 3, 3, 3], { ...options, requiresGrad: true });
  const tape = new Tape();
  const y = tape.record(() => forward(w));
  tape.backward(y, tensor(gradient, y.shape, { ...options, mask }));
  const exact = await (w.grad as Tensor).data();

  let worst = 0;
  const h = 1e-3;
  for (let i = 0; i < weights.length; i += 7) {
    const plus = Float64Array.from(weights);
    const minus = Float64Array.from(weights);
    plus[i] = (plus[i] as number) + h;
    minus[i] = (minus[i] as number) - h;
    const numeric = ((await loss(plus)) - (await loss(minus))) / (2 * h);
    worst = Math.max(worst, Math.abs(numeric - (exact[i] as number)));
  }
  console.log(`largest difference between tape and finite differences: ${worst.toExponential(1)}`);
  if (!(worst < 1e-8)) process.exitCode = 1;
}

void main();
