/**
 * `npm run bench:picture`: draws bench/results/speed.svg and prints the README's table from the JSON that
 * `npm run bench -- … --json` left in bench/results. A row that was not measured is left out, and said so.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Comparison } from "./harness";

const results = join(__dirname, "results");

/** What to show: files (one run for both peers, or one each), the group of measurements in them, and its name. */
const ROWS = [
  ["step-64", /./, "S3D step, 64³"],
  ["step-96", /./, "S3D step, 96³"],
  ["step-160-a step-160-b", /./, "S3D step, 160³"],
  ["layers-96", /^encoder convolutions, 75 %/, "encoder's convolutions, 75 % masked"],
  ["layers-96", /^encoder convolutions, 90 %/, "encoder's convolutions, 90 % masked"],
  ["predict-resenc-l", /./, "prediction, ResEnc-L, windows of 96³"],
  ["predict-256", /./, "prediction of 256³, small network"],
] as const;

interface Row extends Comparison {
  label: string;
}

function comparisonIn(file: string, group: RegExp): Comparison | undefined {
  let text: string;
  try {
    text = readFileSync(join(results, `${file}.json`), "utf8");
  } catch {
    return undefined;
  }
  const { comparisons = [] } = JSON.parse(text) as { comparisons?: Comparison[] };
  return comparisons.find((c) => group.test(c.group));
}

function read(): Row[] {
  return ROWS.flatMap(([files, group, label]) => {
    const found = files.split(" ").map((file) => comparisonIn(file, group));
    if (found.every((c) => c)) return [{ ...Object.assign({}, ...[...found].reverse()), label } as Row];
    console.error(`${label}: not in ${files}, left out`);
    return [];
  });
}

const seconds = (ms?: number) => {
  if (ms === undefined) return "not measured";
  return ms < 10000 ? `${Number((ms / 1000).toPrecision(3))} s` : `${(ms / 1000).toFixed(1)} s`;
};
const times = (ratio?: number) => (ratio === undefined ? "–" : ratio.toFixed(1));

function table(rows: readonly Row[]): string {
  const lines = rows.map(
    (r) =>
      `| ${r.label} | ${seconds(r.ours)} | ${seconds(r.peerA)} | ${seconds(r.peerB)} | ${times(r.ratioA)} / ${times(r.ratioB)} | not measured |`,
  );
  return [
    "| work | voxelspark | PyTorch A | PyTorch B | times faster, A / B | GPU |",
    "| --- | --- | --- | --- | --- | --- |",
    ...lines,
  ].join("\n");
}

const LEFT = 310;
const WIDTH = 800;
const BAR = 13;
const STEP = 44;
const TOP = 58;
const COLORS = { A: "#2563eb", B: "#93b4f5" };

/** Bars of how many times faster; the line is PyTorch's own speed. */
function picture(rows: readonly Row[]): string {
  const most = Math.max(...rows.flatMap((r) => [r.ratioA ?? 1, r.ratioB ?? 1]));
  const at = (ratio: number) => LEFT + (ratio / most) * (WIDTH - LEFT - 70);
  const bar = (y: number, ratio: number | undefined, color: string) =>
    ratio === undefined
      ? ""
      : `<rect x="${LEFT}" y="${y}" width="${(at(ratio) - LEFT).toFixed(1)}" height="${BAR}" rx="2" fill="${color}"/>` +
        `<text x="${(at(ratio) + 6).toFixed(1)}" y="${y + 11}" class="n">${times(ratio)} ×</text>`;
  const height = TOP + rows.length * STEP + 12;
  const key = (x: number, color: string, text: string) =>
    `<rect x="${x}" y="34" width="12" height="12" rx="2" fill="${color}"/><text x="${x + 18}" y="44" class="n">${text}</text>`;
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${height}" viewBox="0 0 ${WIDTH} ${height}" role="img">
<title>How many times faster than PyTorch on the same two cores</title>
<style>text{font:14px system-ui,sans-serif;fill:#1f2937}.n{font-size:12px;fill:#4b5563}.t{font-weight:600;font-size:15px}</style>
<rect width="${WIDTH}" height="${height}" fill="#fff"/>
<text x="12" y="22" class="t">Times faster than PyTorch 2.13 on the same two cores</text>
${key(LEFT, COLORS.A, "A, as it comes")}${key(LEFT + 140, COLORS.B, "B, tuned")}
${rows
  .map((r, i) => {
    const y = TOP + i * STEP;
    return `<text x="${LEFT - 12}" y="${y + 19}" text-anchor="end">${r.label}</text>${bar(y, r.ratioA, COLORS.A)}${bar(y + BAR + 2, r.ratioB, COLORS.B)}`;
  })
  .join("\n")}
<line x1="${at(1).toFixed(1)}" y1="${TOP - 6}" x2="${at(1).toFixed(1)}" y2="${height - 8}" stroke="#dc2626" stroke-dasharray="3 3"/>
</svg>
`;
}

const rows = read();
writeFileSync(join(results, "speed.svg"), picture(rows));
console.log(table(rows));
