import { cast, type DeviceName, type DType, full, maskedMse, Tape, tensor } from "../../lib";
import { launch } from "../../lib/launch";
import { freeAfterEach } from "../lifetime";

freeAfterEach();

test("on the reference device float32 becomes float64 and back, gradients too", async () => {
  const x = tensor([0.1, -2], [2], { device: "reference", requiresGrad: true });
  const tape = new Tape();
  const y = tape.record(() => cast(x, "float64"));
  expect([y.dtype, await y.data()]).toEqual(["float64", Float64Array.from([Math.fround(0.1), -2])]);
  tape.backward(y, tensor([3, 1e-300], [2], { device: "reference", dtype: "float64" }));
  expect([x.grad?.dtype, await x.grad?.data()]).toEqual(["float32", Float32Array.of(3, 0)]);
});

const sixteen = ["bfloat16", "float16"] as const;

test.each(sixteen)("%s is refused where it does not exist, with what is allowed", (dtype) => {
  for (const device of ["cpu", "reference"] as const) {
    const refused = expect.objectContaining({
      code: "ERR_VOXELSPARK_DEVICE",
      message: `dtype ${dtype} exists on device 'cuda' only, the device is '${device}'; allowed there is float32`,
    });
    expect(() => full([2], 0, { device, dtype })).toThrow(refused);
    expect(() => cast(tensor([1], [1], { device }), dtype)).toThrow(refused);
  }
});

const on = (device: DeviceName, dtype: DType) => full([1, 2, 4, 4, 4], 0, { device, dtype });

test.each(sixteen)("the null device counts two bytes for %s; sums and parameters are float32", (dtype) => {
  const x = on("null", dtype);
  const weight = full([3, 2, 1, 1, 1], 0, { device: "null" });
  const attributes = { kernel: [1, 1, 1], bias: true } as const;
  const [y] = launch("conv3d_forward", [x, weight], {});
  expect([y!.dtype, y!.shape]).toEqual([dtype, [1, 3, 4, 4, 4]]);
  expect(launch("conv3d_grad_weight", [x, y!], attributes).map((t) => t.dtype)).toEqual([
    "float32",
    "float32",
  ]);
  expect(launch("masked_norm_forward", [x], {}).map((t) => t.dtype)).toEqual([dtype, "float32", "float32"]);
});

test("feature maps of two types, 16-bit parameters and 16-bit losses are refused by name", () => {
  const [x, y] = [on("null", "bfloat16"), on("null", "float16")];
  const refusal = (message: string) => expect.objectContaining({ code: "ERR_VOXELSPARK_TYPE", message });
  expect(() => launch("add_forward", [x, y], {})).toThrow(
    refusal("add_forward: b is float16, allowed is bfloat16 beside a of bfloat16"),
  );
  expect(() => launch("conv3d_forward", [x, on("null", "bfloat16")], {})).toThrow(
    refusal("conv3d_forward: weight is bfloat16, allowed is float32 beside x of bfloat16"),
  );
  expect(() => maskedMse(x, on("null", "float32"))).toThrow(
    refusal("masked_mse_forward: prediction is bfloat16, allowed is float32; cast it"),
  );
});
