/** Every engine of the convolutions, in processes that choose it; cases and comparisons are the emulator's. */
import { convolve, type Form } from "./convolve";

const halo = ["halo, several slices", "halo, tiles that stick out", "halo, exact", "halo, 128 channels"];
const plans: readonly (readonly [what: string, form: Form, names: readonly string[]])[] = [
  ["products of warps on halo tiles", "off", [...halo, "halo, blocks of edge 8, float16"]],
  [
    "products of warps on gathered rows",
    "off",
    [
      "gather, blocks of edge 4",
      "gather, blocks of edge 2, float16",
      "gather, stride 2, odd volume, two samples in a tile",
      "gather, kernel (1, 3, 5)",
      "gather, many items",
      "transposed",
      "transposed, exact, float16",
    ],
  ],
  [
    "products of single values",
    "off",
    ["few channels", "a stem", "a head", "stem, masked", "gather, exact, float32"],
  ],
  [
    "operands in shared memory, halo tiles",
    "shared",
    [...halo, "halo, blocks that tiles stick out of, float16"],
  ],
  ["operands in registers, halo tiles", "registers", [...halo, "halo, blocks of edge 8, float16"]],
  [
    "operands in shared memory, gathered rows",
    "shared",
    [
      "group, 64 columns, blocks of edge 4",
      "group, 128 columns, stride 2 of an odd volume",
      "group, 160 columns, blocks of edge 1",
      "group, 256 columns, kernel 1, more steps than buffers",
      "group, transposed, float16",
      "group, columns beyond the channels",
    ],
  ],
];

test.each(plans)("%s (%s)", async (_, form, names) => {
  expect(await convolve(form, names)).toEqual({ status: 0, said: "" });
});
