/** Which GPUs the CUDA backend is compiled for. */
const { architectures, forCMake, forNvcc } = require("../native/architectures.cjs") as {
  architectures(wish: string, found?: () => string[]): string[];
  forCMake(names: string[]): string;
  forNvcc(names: string[]): string[];
};

test.each([
  ["", [], ["80", "90a"]],
  ["", ["9.0"], ["90a"]],
  ["", ["8.9", "8.6", "8.9"], ["89", "86"]],
  ["", ["8.7"], ["80"]],
  ["", ["12.0"], ["80"]],
  ["", ["7.5"], ["80", "90a"]],
  ["all", ["9.0"], ["80", "86", "89", "90a"]],
  ["90a,80", [], ["90a", "80"]],
])("wish %p on a machine of %p", (wish, found, names) =>
  expect(architectures(wish, () => found)).toEqual(names),
);

test("Ampere brings PTX for devices to come, Hopper its own instructions", () => {
  expect(forCMake(["80", "86", "90a"])).toBe("80;86-real;90a-real");
  expect(forNvcc(["80", "90a"])).toEqual([
    ...["-gencode", "arch=compute_80,code=[sm_80,compute_80]"],
    ...["-gencode", "arch=compute_90a,code=sm_90a"],
  ]);
});
