/** Every engine of the convolutions, in processes that choose it; cases and comparisons are the emulator's. */
import { execFile } from "node:child_process";
import { join, resolve } from "node:path";

type Form = "off" | "shared" | "registers";

/** Status and words of one-tensor.ts; native code reads its environment, which a process of its own can choose. */
function convolve(form: Form, names: readonly string[]): Promise<{ status: unknown; said: string }> {
  const script = join(__dirname, "../one-tensor.ts");
  return new Promise((done) =>
    execFile(
      process.execPath,
      ["-r", require.resolve("tsx/cjs"), script, "90", ...names],
      { cwd: resolve(__dirname, "../../.."), env: { ...process.env, VOXELSPARK_CUDA_WGMMA: form } },
      (error, stdout, stderr) => done({ status: error ? error.code : 0, said: stdout + stderr }),
    ),
  );
}

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
      "transposed",
      "transposed, exact, float16",
    ],
  ],
  ["products of single values", "off", ["few channels", "a stem", "a head", "gather, exact, float32"]],
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
