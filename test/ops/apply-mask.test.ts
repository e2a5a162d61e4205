import { applyMask, densify, Tape, type Tensor, tensor } from "../../lib";
import { rng } from "../../lib/random";
import { freeAfterEach } from "../lifetime";
import { looseMask, maskedData } from "../masks";
import { drawMask, triple } from "../op-suite";

freeAfterEach();

const bytes = (data: Float32Array | Float64Array) =>
  Buffer.from(data.buffer, data.byteOffset, data.byteLength);

test("keeps the visible voxels bit for bit; the way back is densify", async () => {
  const random = rng(2, 0, "test");
  for (let i = 0; i < 100; i++) {
    const samples = 1 + random.int(3);
    const grid = triple(random, 1, 4);
    const shape = [samples, 1 + random.int(20), ...grid.map((g) => g * (1 + random.int(4)))];
    const mask = looseMask({ ...drawMask(random, samples, grid)!, grid });
    const data = random.fillNormal(new Float32Array(shape.reduce((a, b) => a * b)));
    const x = tensor(data, shape, { requiresGrad: true });
    const tape = new Tape();
    const y = tape.record(() => applyMask(x, mask));
    expect(y.mask).toBe(mask);
    const wanted = bytes(maskedData(data, shape, mask));
    expect(bytes(await y.data()).equals(wanted)).toBe(true);
    expect(bytes(await densify(y).data()).equals(wanted)).toBe(true);
    tape.backward(y, y);
    expect(bytes(await (x.grad as Tensor).data()).equals(wanted)).toBe(true);
  }
});
