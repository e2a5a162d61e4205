/** What convolutions do beside themselves, by every engine: pending norms, joined maps, sums with what y holds. */
import { convolve, type Form } from "./convolve";

const plans: readonly (readonly [what: string, form: Form, names: readonly string[]])[] = [
  [
    "normalisations that are pending",
    "shared",
    ["halo, exact, pending", "group, 64 columns, stride 2, pending", "a head, pending"],
  ],
  ["the same, with products of warps", "off", ["halo, exact, pending", "gather, blocks of edge 4, pending"]],
  [
    "two joined maps",
    "shared",
    [
      "halo, a slice of both maps, a ragged volume, joined",
      "gather, stride 2 of an odd volume, joined",
      "6 of 32 channels on halo tiles, joined",
    ],
  ],
  [
    "the same, with operands in registers",
    "registers",
    ["halo, a slice of both maps, a ragged volume, joined"],
  ],
  [
    "adding to what y holds",
    "shared",
    [
      "halo tiles, one visible block, folded",
      "gathered rows of warpgroups, sums in splits, folded",
      "gathered rows, kernel 1, an odd number of channels, folded",
    ],
  ],
  [
    "the same, without tensor cores",
    "off",
    ["without tensor cores, folded", "gathered rows, blocks of edge 4, folded"],
  ],
  ["warps that come late", "shared", ["starved: halo, exact", "starved: group, 64 columns, stride 2"]],
];

test.each(plans)("%s (%s)", async (_, form, names) => {
  expect(await convolve(form, names)).toEqual({ status: 0, said: "" });
});
