// Prints what kernels did, from the file that VOXELSPARK_PTX_COUNTERS named while the machine ran them:
//   node test/cuda/ptx/counters.cjs FILE
// By kernel: launches; warp instructions (millions) and the share of each class; passes over the banks of shared memory and
// sectors of global memory, relative to what they would be without conflicts and without bytes that nobody asked for.
const fs = require("node:fs");

const classes = ["f32", "f64", "integer", "moves", "global", "shared", "tensor", "meet", "branch"];
const counts = [
  ...classes,
  "shared accesses",
  "passes",
  "least passes",
  "global accesses",
  "sectors",
  "least sectors",
];

/** Sums of the lines of each kernel. */
function sums(text) {
  const kernels = new Map();
  for (const line of text.split("\n").filter(Boolean)) {
    const [title, , , ...numbers] = line.split("\t");
    const kernel = kernels.get(title) ?? {
      title,
      launches: 0,
      ...Object.fromEntries(counts.map((c) => [c, 0])),
    };
    kernel.launches++;
    counts.forEach((c, i) => {
      kernel[c] += Number(numbers[i]);
    });
    kernels.set(title, kernel);
  }
  return [...kernels.values()];
}

const ratio = (found, least) => (least ? (found / least).toFixed(2) : "-");

function report(text) {
  const all = sums(text).map((k) => ({ ...k, total: classes.reduce((sum, c) => sum + k[c], 0) }));
  all.sort((a, b) => b.total - a.total);
  return all.map((k) => ({
    kernel: k.title.replace(/voxelspark::|\(anonymous namespace\)::|^void /g, "").slice(0, 70),
    launches: k.launches,
    millions: (k.total / 1e6).toFixed(3),
    ...Object.fromEntries(classes.map((c) => [c, `${Math.round((100 * k[c]) / k.total)} %`])),
    conflicts: ratio(k.passes, k["least passes"]),
    sectors: ratio(k.sectors, k["least sectors"]),
  }));
}

module.exports = { report };
if (require.main === module) console.table(report(fs.readFileSync(process.argv[2], "utf8")));
