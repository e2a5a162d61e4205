import { scope, stats, tensor, zeros } from "../../lib";
import { ResEncUNet } from "../../lib/models/resenc-unet";
import { S3D } from "../../lib/models/s3d";
import { Conv3d } from "../../lib/nn/conv";
import { Initializer } from "../../lib/nn/init";
import { Module } from "../../lib/nn/module";
import { PRESETS } from "../../lib/plans/plan";

const network = PRESETS.s3d.network;

describe("ResEnc-L", () => {
  test("has exactly the published number of parameters", () => {
    const before = stats("null").liveBytes;
    const count = (inChannels: number, outChannels: number) => {
      const model = new ResEncUNet(new Initializer(0, "null"), { ...network, inChannels, outChannels });
      const parameters = model.parameterCount();
      model.dispose();
      return parameters;
    };
    expect([count(1, 1), count(1, 2), count(2, 2), count(4, 2)]).toEqual([
      102348965, 102349770, 102350634, 102352362,
    ]);
    expect(stats("null").liveBytes).toBe(before);
  });

  test("S3D adds tokens and densify convolutions, 110,203,205 parameters in all", () => {
    const model = new S3D(new Initializer(0, "null"), {
      network,
      sparse: true,
      maskToken: true,
      densifyConv: true,
      maskInput: true,
    });
    expect(model.parameterCount()).toBe(102348965 + 7854240);
    const names = [...model.state().keys()];
    for (const name of [
      "encoder.stem.convs.0.conv.weight",
      "encoder.stages.2.blocks.0.skip.1.conv.weight",
      "encoder.stages.5.blocks.5.conv2.norm.bias",
      "decoder.transpconvs.4.weight",
      "decoder.stages.0.convs.0.conv.bias",
      "decoder.seg_layers.4.weight",
      "mask_tokens.0",
      "densify_projs.5.bias",
    ])
      expect(names).toContain(name);
    expect(names).not.toContain("encoder.stages.5.blocks.0.skip.1.conv.weight");
    expect(names.filter((n) => !/^(mask_tokens|densify_projs)/.test(n))).toHaveLength(264);
    model.dispose();
  });
});

test("a small network runs on patches of any size that its strides divide", async () => {
  const small = {
    ...network,
    features: [4, 8],
    blocks: [1, 1],
    kernels: network.kernels.slice(0, 2),
    strides: network.strides.slice(0, 2),
    decoder: { convs: [1] },
    outChannels: 3,
  };
  const model = new ResEncUNet(new Initializer(3, "cpu"), small);
  const y = scope(() =>
    model.forward(tensor(Float32Array.from({ length: 6 * 10 * 4 }, Math.random), [1, 1, 6, 10, 4])),
  );
  expect(y.shape).toEqual([1, 3, 6, 10, 4]);
  expect((await y.data()).every(Number.isFinite)).toBe(true);
  expect(() => scope(() => model.forward(zeros([1, 1, 5, 4, 4])))).toThrow(
    expect.objectContaining({ code: "ERR_VOXELSPARK_SHAPE" }),
  );
  y.dispose();
  model.dispose();
});

test("options that do not fit together are told by name, before anything is made", () => {
  const before = stats("null").liveTensors;
  const make = (change: object) => () =>
    new ResEncUNet(new Initializer(0, "null"), { ...network, inChannels: 1, outChannels: 1, ...change });
  expect(make({ blocks: [1] })).toThrow("ResEncUNet: blocks has 1 entries, allowed are 6 with 6 features");
  expect(make({ strides: undefined })).toThrow("ResEncUNet: strides is undefined, an array is needed");
  expect(make({ decoder: { convs: [1, 1, 1, 1, 1, 1] } })).toThrow(
    /decoder\.convs has 6 entries, allowed are 5/,
  );
  expect(make({ features: [] })).toThrow(/features has 0 entries, allowed are 1/);
  expect(() => new S3D(new Initializer(0, "null"), {} as never)).toThrow(/options is undefined, an object/);
  expect(() => new Conv3d(new Initializer(0, "null"), 1, 1, [3, 2, 3])).toThrow(
    /kernel is \(3, 2, 3\), allowed are odd/,
  );
  expect(stats("null").liveTensors).toBe(before);
});

test("a part that two share is trained once, as PyTorch counts it, and saved under both names", () => {
  class Tied extends Module {
    readonly parts;
    constructor() {
      super();
      const conv = new Conv3d(new Initializer(0, "null"), 1, 1, [1, 1, 1]);
      this.parts = { first: conv, second: conv };
    }
  }
  using tied = new Tied();
  expect([...tied.parameters().keys()]).toEqual(["first.weight", "first.bias"]);
  expect(tied.parameterCount()).toBe(2);
  expect([...tied.state().keys()]).toEqual(["first.weight", "first.bias", "second.weight", "second.bias"]);
});
