import { type DeviceName, gradNorm, SGD, type SGDOptions, type Tensor, tensor } from "../../lib";
import { expectClose } from "../golden/check";
import { type GoldenTensor, goldenCases } from "../golden/golden";
import { freeAfterEach } from "../lifetime";

freeAfterEach();

const devices = ["cpu", "reference"] as const;

/** A leaf with the given gradient. */
function leaf(value: GoldenTensor, device: DeviceName): Tensor {
  return tensor(value.data, value.shape, { device, requiresGrad: true });
}

const each = (op: string) =>
  goldenCases(op).flatMap((c) => devices.map((d) => [`${c.name} on ${d}`, d, c] as const));

test.each(each("grad_norm"))("golden grad_norm %s", async (_, device, c) => {
  const tensors = Object.values(c.inputs).map((t) => leaf(t, device));
  await expectClose(gradNorm(tensors), c.outputs.norm as GoldenTensor, 1e-6);
});

test.each(each("sgd"))("golden sgd %s", async (_, device, c) => {
  const { parameters: names, learning_rates: rates, momentum, nesterov, weight_decay, clip } = c.attributes;
  const parameters = new Map<string, Tensor>();
  for (const name of names) parameters.set(name, leaf(c.inputs[name] as GoldenTensor, device));
  using optimizer = new SGD(parameters, { momentum, nesterov, weightDecay: weight_decay, clip: clip ?? 0 });
  for (let step = 0; step < rates.length; step++) {
    for (const [name, p] of parameters)
      p.grad = leaf(c.inputs[`${name}.grad.${step}`] as GoldenTensor, device);
    const norm = optimizer.step(rates[step]);
    if (clip) await expectClose(norm, c.outputs[`norm.${step}`] as GoldenTensor, 1e-6);
    for (const [name, p] of parameters) {
      await expectClose(p, c.outputs[`${name}.${step}`] as GoldenTensor, 1e-6);
      const buffer = c.outputs[`${name}.momentum.${step}`];
      if (buffer) await expectClose(optimizer.state().get(name) as Tensor, buffer, 2e-6);
    }
    optimizer.zeroGrad();
  }
});

describe.each(devices)("SGD on %s", (device) => {
  const values = (...v: number[]) => tensor(v, [v.length], { device, requiresGrad: true });
  const options = { momentum: 0.9, nesterov: true, clip: 1 };

  test.each([Number.NaN, Number.POSITIVE_INFINITY])("a gradient of %p changes nothing", async (bad) => {
    const w = values(1, 2);
    const b = values(3);
    using optimizer = new SGD(
      new Map([
        ["w", w],
        ["b", b],
      ]),
      options,
    );
    w.grad = values(1, bad);
    b.grad = values(1);
    expect(await optimizer.step(0.1).item()).not.toBe(0);
    expect(Array.from(await w.data())).toEqual([1, 2]);
    expect(Array.from(await b.data())).toEqual([3]);
    expect(Array.from(await (optimizer.state().get("b") as Tensor).data())).toEqual([0]);
  });

  test("parameters without gradient stay, weight decay included", async () => {
    const w = values(1);
    const frozen = values(5);
    using optimizer = new SGD(
      [
        ["w", w],
        ["frozen", frozen],
      ],
      { weightDecay: 0.5 },
    );
    expect(await optimizer.step(0.1).item()).toBe(0);
    w.grad = values(2);
    await optimizer.step(0.1).item();
    expect((await w.data())[0]).toBeCloseTo(1 - 0.1 * 2.5, 6);
    expect(await frozen.data()).toEqual(Float32Array.of(5));
  });

  test("load refuses foreign states and takes its own", async () => {
    using optimizer = new SGD([["w", values(1, 2)]], options);
    const code = expect.objectContaining({ code: "ERR_VOXELSPARK_CHECKPOINT" });
    expect(() => optimizer.load(new Map())).toThrow(code);
    expect(() => optimizer.load(new Map([["w", Float32Array.of(1)]]))).toThrow(code);
    expect(() =>
      optimizer.load(
        new Map([
          ["w", Float32Array.of(1, 2)],
          ["u", Float32Array.of(1)],
        ]),
      ),
    ).toThrow(code);
    optimizer.load(new Map([["w", Float32Array.of(3, 4)]]));
    expect(Array.from(await (optimizer.state().get("w") as Tensor).data())).toEqual([3, 4]);
  });

  test.each<[SGDOptions, string, string]>([
    [{ momentum: 1 }, "RANGE", "SGD: momentum is 1, allowed is [0, 1)"],
    [{ momentum: -0.5 }, "RANGE", "SGD: momentum is -0.5, allowed is [0, 1)"],
    [{ weightDecay: Number.NaN }, "RANGE", "SGD: weightDecay is NaN, allowed is [0, inf)"],
    [{ clip: -1 }, "RANGE", "SGD: clip is -1, allowed is [0, inf), 0 = none"],
    [{ clip: Number.POSITIVE_INFINITY }, "RANGE", "SGD: clip is Infinity, allowed is [0, inf), 0 = none"],
    [{ nesterov: true }, "RANGE", "SGD: nesterov needs a momentum above 0, found 0"],
    [{ clip: null as never }, "TYPE", "SGD: clip is null, a number is needed"],
    [{ nesterov: "yes" as never }, "TYPE", "SGD: nesterov is a string, a boolean is needed"],
  ])("the constructor refuses %j", (options, code, message) => {
    expect(() => new SGD([["w", values(1)]], options)).toThrow(
      expect.objectContaining({ code: `ERR_VOXELSPARK_${code}`, message }),
    );
  });

  test("a rate out of range and a gradient of another shape are refused", () => {
    const w = values(1);
    w.grad = values(1);
    const range = expect.objectContaining({ code: "ERR_VOXELSPARK_RANGE" });
    const step = (options: SGDOptions, rate = 0.1) => {
      using optimizer = new SGD([["w", w]], options);
      optimizer.step(rate);
    };
    expect(() => step({}, Number.NaN)).toThrow(range);
    w.grad = values(1, 2);
    expect(() => step({})).toThrow(expect.objectContaining({ code: "ERR_VOXELSPARK_SHAPE" }));
  });
});
