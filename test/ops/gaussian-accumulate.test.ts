import { type DeviceName, gaussianAccumulate, gaussianNormalize, tensor, zeros } from "../../lib";

const ramp = Array.from({ length: 24 }, (_, i) => i + 1); // (2, 3, 4)

describe.each<DeviceName>(["cpu", "reference"])("on %s", (device) => {
  test("cuts a patch out of a volume, zeros outside, mirrored if asked", async () => {
    using volume = tensor(ramp, [1, 1, 2, 3, 4], { device });
    const cut = async (
      flip: readonly [boolean, boolean, boolean],
      offset: readonly [number, number, number],
    ) => {
      using patch = zeros([1, 1, 1, 2, 3], { device });
      gaussianAccumulate(patch, undefined, volume, { offset, flip });
      return Array.from(await patch.data());
    };
    expect(await cut([false, false, false], [-1, -1, -2])).toEqual([19, 20, 0, 23, 24, 0]);
    // The same place mirrored along x: start + patch − size = 2 + 3 − 4.
    expect(await cut([false, false, true], [-1, -1, 1])).toEqual([0, 20, 19, 0, 24, 23]);
    expect(await cut([true, false, false], [-1, -1, -2])).toEqual([7, 8, 0, 11, 12, 0]);
    expect(await cut([false, false, false], [5, 0, 0])).toEqual([0, 0, 0, 0, 0, 0]);
  });

  test("weights stay in place when the patch is mirrored; the quotient is the weighted mean", async () => {
    using sum = zeros([1, 2, 1, 1, 3], { device });
    using weight = zeros([1, 1, 1, 1, 3], { device });
    using patch = tensor([1, 2, 3, 10, 20, 30], [1, 2, 1, 1, 3], { device });
    using window = tensor([1, 2, 4], [1, 1, 1, 1, 3], { device });
    const offset = [0, 0, 0] as const;
    gaussianAccumulate(sum, weight, patch, { offset, window });
    gaussianAccumulate(sum, weight, patch, { offset, window, flip: [false, false, true] });
    expect(Array.from(await weight.data())).toEqual([2, 4, 8]);
    expect(Array.from(await sum.data())).toEqual([4, 8, 16, 40, 80, 160]);
    gaussianNormalize(sum, weight);
    expect(Array.from(await sum.data())).toEqual([2, 2, 2, 20, 20, 20]);
  });

  test("refuses to add a tensor to itself", () => {
    using sum = zeros([1, 1, 2, 2, 2], { device });
    expect(() => gaussianAccumulate(sum, undefined, sum, { offset: [0, 0, 1] })).toThrow(
      expect.objectContaining({ code: "ERR_VOXELSPARK_TYPE" }),
    );
  });
});
