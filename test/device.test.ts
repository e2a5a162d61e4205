import { DeviceError, info, leakyRelu, resetPeak, resolveDevice, stats, tensor, zeros } from "../lib";

const { cuda } = info();
const refused = (call: () => unknown) => {
  try {
    call();
  } catch (error) {
    return error as DeviceError;
  }
  throw new Error("nothing was thrown");
};

/** Norms are fused on the CPU only. */
const isCpuOnly = (kernel: string) =>
  /^(masked_norm_affine|masked_norm_backward_in_place|residual_forward)$/.test(kernel);

describe("the choice of a device", () => {
  test("cpu is always there", () => {
    expect(resolveDevice("cpu")).toMatchObject({
      device: "cpu",
      reason: expect.stringContaining("as asked for"),
    });
  });

  test("auto says why it took what it took", () => {
    const choice = resolveDevice("auto");
    expect(choice.device).toBe(cuda.deviceCount && cuda.missingKernels.every(isCpuOnly) ? "cuda" : "cpu");
    expect(choice.reason).toMatch(
      choice.device === "cuda" ? /^cuda \(/ : /^cpu \(.+since cuda cannot be used: .+/,
    );
  });

  test("VOXELSPARK_DEVICE is the wish when there is no other", () => {
    const before = process.env.VOXELSPARK_DEVICE;
    try {
      process.env.VOXELSPARK_DEVICE = "cpu";
      expect(resolveDevice().reason).toMatch(/as asked for/);
      process.env.VOXELSPARK_DEVICE = "gpu";
      expect(refused(() => resolveDevice()).message).toBe(
        "VOXELSPARK_DEVICE is 'gpu', allowed are auto, cpu and cuda",
      );
      expect(refused(() => resolveDevice("tpu")).message).toMatch(/^device is 'tpu', allowed/);
      expect(resolveDevice("cpu").device).toBe("cpu");
    } finally {
      if (before === undefined) delete process.env.VOXELSPARK_DEVICE;
      else process.env.VOXELSPARK_DEVICE = before;
    }
  });
});

test("a request beyond the machine's memory is refused, not granted", () => {
  expect(refused(() => zeros([1, 1, 32768, 32768, 32768]))).toMatchObject({
    code: "ERR_VOXELSPARK_OUT_OF_MEMORY",
    message: expect.stringMatching(/limit \d+/),
  });
});

test("info() tells how the addon was built", () => {
  expect(["scalar", "avx2", "avx512"]).toContain(info().isa);
  expect(info().threads).toBeGreaterThanOrEqual(1);
  expect(cuda.devices).toHaveLength(cuda.deviceCount);
  if (cuda.built) expect(cuda.missingKernels).not.toContain("leaky_relu_forward");
  else expect(cuda.missingKernels).toContain("leaky_relu_forward");
});

// The other side, with a GPU, is `npm run test:gpu`'s.
(cuda.deviceCount ? describe.skip : describe)("without a usable GPU", () => {
  test("there is a reason that names a cure or a fact", () => {
    expect(cuda.reason).toMatch(/not built|driver|GPU|loaded|other sources|compute capability/);
  });

  test.each([
    ["resolveDevice", () => resolveDevice("cuda")],
    ["tensor", () => tensor([1], [1], { device: "cuda" })],
    ["zeros", () => zeros([1, 1, 2, 2, 2], { device: "cuda" })],
  ])("%s on cuda is a DeviceError with reason and cure, never the CPU", (_name, call) => {
    const error = refused(call);
    expect(error).toBeInstanceOf(DeviceError);
    expect(error.code).toBe("ERR_VOXELSPARK_DEVICE");
    expect(error.message).toBe(`device 'cuda' cannot be used: ${cuda.reason}; device 'cpu' works`);
  });

  test("statistics of a device that was never used are zero", () => {
    resetPeak("cuda");
    expect(stats("cuda")).toMatchObject({ liveBytes: 0, cachedBytes: 0, peakBytes: 0 });
  });

  test("the CPU goes on working", async () => {
    refused(() => zeros([1], { device: "cuda" }));
    using x = tensor([-2, 4], [2]);
    using y = leakyRelu(x, 0.5);
    expect(Array.from(await y.data())).toEqual([-1, 4]);
  });
});
