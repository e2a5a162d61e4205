/** Registers of wgmma in all kernels that were compiled, on paths that no test takes, too. */
import { readFileSync } from "node:fs";
import { misusedRegisters } from "./in-flight";

/** The PTX of kernels with wgmma lies in the library, not compressed. */
function kernelsWithProducts(): (readonly [string, string])[] {
  const texts = readFileSync(process.env.VOXELSPARK_CUDA_LIBRARY as string, "latin1")
    .split("\0")
    .filter((text) => text.includes(".target sm_90a") && text.includes("wgmma.mma_async"));
  return texts
    .flatMap((text) => text.split(/(?=\n[^\n]*\.entry )/))
    .filter((kernel) => kernel.includes("wgmma.mma_async"))
    .map((kernel) => [/\.entry (\w+)/.exec(kernel)![1]!, kernel] as const);
}

const kernels = kernelsWithProducts();

test("there are such kernels", () => expect(kernels.length).toBeGreaterThan(20));

test.each(kernels)("%s", (_, kernel) => expect(misusedRegisters(kernel)).toEqual([]));

const wait = /wgmma\.wait_group\.sync\.aligned 0;/g;
test("a wait that is missing at the end is found in all of them", () => {
  const found = kernels.filter(([, kernel]) => misusedRegisters(kernel.replace(wait, "")).length > 0);
  expect(found.length).toBe(kernels.length);
});
test("a fence that is missing is found where sums are set before the first product", () => {
  const planted = ([, kernel]: readonly [string, string]) =>
    kernel.replace(/wgmma\.fence\.sync\.aligned;/g, "");
  expect(kernels.filter((k) => misusedRegisters(planted(k)).length > 0).length).toBe(kernels.length);
});
