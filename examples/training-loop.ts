/**
 * A training loop in five lines: a small S3D learns to reconstruct the masked blocks of random smooth volumes.
 *
 *   npx tsx examples/training-loop.ts [steps]    on the device of VOXELSPARK_DEVICE, else the best one
 */
import {
  BlockMask,
  Initializer,
  maskedMse,
  resolveDevice,
  rng,
  S3D,
  SGD,
  sampleMask,
  scope,
  setDefaultDevice,
  Tape,
  tensor,
} from "voxelspark";

const { device } = resolveDevice();
setDefaultDevice(device);
const k3 = [3, 3, 3] as const;
const network = {
  inChannels: 1,
  outChannels: 1,
  features: [8, 16],
  blocks: [1, 1],
  kernels: [k3, k3],
  strides: [[1, 1, 1] as const, [2, 2, 2] as const],
  norm: "instance" as const,
  decoder: { convs: [1] },
};
const model = new S3D(new Initializer(1, device), {
  network,
  sparse: true,
  maskToken: true,
  densifyConv: true,
  maskInput: true,
});
const optimizer = new SGD(model.parameters(), { momentum: 0.9, nesterov: true, weightDecay: 3e-5, clip: 12 });

/** A plane wave of random direction: easy to continue into masked blocks. */
function wave(step: number): Float32Array {
  const random = rng(1, step, "test");
  const [a, b, c, phase] = [random.normal(), random.normal(), random.normal(), random.uniform() * 6];
  return Float32Array.from({ length: 16 ** 3 }, (_, i) =>
    Math.sin(0.3 * (a * (i % 16) + b * ((i >> 4) % 16) + c * (i >> 8)) + phase),
  );
}

function step(number: number) {
  return scope(() => {
    const x = tensor(wave(number), [1, 1, 16, 16, 16]);
    const sampled = sampleMask(
      { patch: [16, 16, 16], block: 4, ratio: 0.5, per: "batch" },
      { seed: 1, step: number, samples: 1 },
    );
    const mask = new BlockMask(sampled);
    // The loop's five lines: record, go back, update, forget, return.
    const tape = new Tape();
    const loss = tape.record(() => maskedMse(model.forward(x, mask), x, mask));
    tape.backward(loss);
    optimizer.step(0.02);
    optimizer.zeroGrad();
    return loss;
  });
}

async function main() {
  const losses: number[] = [];
  for (let i = 0; i < Number(process.argv[2] ?? 120); i++) {
    const loss = step(i);
    losses.push(await loss.item());
    loss.dispose();
  }
  const mean = (part: number[]) => part.reduce((a, b) => a + b) / part.length;
  const [first, last] = [mean(losses.slice(0, 20)), mean(losses.slice(-20))];
  console.log(`masked MSE: first 20 steps ${first.toFixed(3)}, last 20 steps ${last.toFixed(3)}`);
  if (!(last <= first)) process.exitCode = 1;
}

void main();
