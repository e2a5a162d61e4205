/** The arithmetic of the comparisons: who is beside whom, and how many times faster. */
import type { Check, Curve, Deviation, KernelTime, StepTime } from "./part";

interface Side {
  name: string;
  seconds: number;
  tflops?: number;
  peakBytes?: number;
}

export interface Comparison {
  kind: "kernel" | "step";
  what: string;
  ours: Side;
  /** Of the peer's ways the fastest. */
  peer: Side;
  /** The peer's time divided by ours. */
  timesFaster: number;
}

export interface Target {
  what: string;
  found: string;
  wanted: string;
  met: boolean;
}

const succeeded = <T extends { failed?: string }>(rows: readonly T[]) => rows.filter((row) => !row.failed);
const fastest = <T extends { seconds: number }>(rows: readonly T[]): T | undefined =>
  rows.reduce<T | undefined>((best, row) => (best && best.seconds <= row.seconds ? best : row), undefined);

function sideOfKernel(row: KernelTime): Side {
  const kernel = row.kernels?.length ? ` (${row.kernels[0]?.slice(0, 60)})` : "";
  const { by, how, precision, seconds, flops } = row;
  return { name: `${by} ${precision}, ${how}${kernel}`, seconds, tflops: flops / seconds / 1e12 };
}

/** Each of our passes beside the peer's best layout of the same precision, which is dense whatever ours is. */
export function compareKernels(rows: readonly KernelTime[]): Comparison[] {
  const good = succeeded(rows);
  return good
    .filter(({ by }) => by === "voxelspark")
    .flatMap((ours) => {
      const same = (row: KernelTime) =>
        row.by !== "voxelspark" &&
        row.layer === ours.layer &&
        row.pass === ours.pass &&
        row.precision === ours.precision;
      const peer = fastest(good.filter(same));
      if (!peer) return [];
      const what = `${ours.precision} ${ours.pass}, ${ours.layer}, ${ours.how}`;
      const timesFaster = peer.seconds / ours.seconds;
      return [
        { kind: "kernel" as const, what, ours: sideOfKernel(ours), peer: sideOfKernel(peer), timesFaster },
      ];
    });
}

/** Each of our ways beside the fastest of each peer, which chooses its precision, at the same share of masked blocks. */
export function compareSteps(rows: readonly StepTime[]): Comparison[] {
  const good = succeeded(rows);
  const side = ({ by, how, precision, seconds, peakBytes }: StepTime): Side => ({
    name: [by, precision, how].filter(Boolean).join(", "),
    seconds,
    peakBytes,
  });
  const peers = new Set(good.map(({ by }) => by).filter((by) => by !== "voxelspark"));
  return good
    .filter(({ by }) => by === "voxelspark")
    .flatMap((ours) =>
      [...peers].flatMap((name) => {
        const peer = fastest(good.filter(({ by, ratio }) => by === name && ratio === ours.ratio));
        if (!peer) return [];
        const what = [ours.precision, ours.how].filter(Boolean).join(" ");
        return {
          kind: "step" as const,
          what: `${what}, ${Math.round(ours.ratio * 100)} % masked`,
          ours: side(ours),
          peer: side(peer),
          timesFaster: peer.seconds / ours.seconds,
        };
      }),
    );
}

/** Largest relative distance of each curve from PyTorch's in float32, and where it ends. */
export function deviations(
  curves: readonly Curve[],
): { by: string; precision: string; worst: number; last: number }[] {
  const reference = curves.find(({ by, precision }) => by === "PyTorch" && precision === "fp32")?.losses;
  return curves.map(({ by, precision, losses }) => ({
    by,
    precision,
    last: losses.at(-1) ?? Number.NaN,
    worst: reference
      ? Math.max(...reference.map((v, i) => Math.abs((losses[i] ?? Number.NaN) / v - 1)))
      : Number.NaN,
  }));
}

const atLeast = (what: string, rows: readonly Comparison[], wanted: number): Target[] => {
  const best = Math.max(...rows.map(({ timesFaster }) => timesFaster));
  return rows.length
    ? [{ what, found: `${best.toFixed(2)} times`, wanted: `at least ${wanted}`, met: best >= wanted }]
    : [];
};

const memoryTarget = (bytes: number | undefined): Target[] =>
  bytes === undefined
    ? []
    : [
        {
          what: "peak memory of the step",
          found: `${(bytes / 1e9).toFixed(1)} GB`,
          wanted: "at most 15 GB",
          met: bytes <= 15e9,
        },
      ];

/** What checks of the same name find twice. */
function repeatTarget(checks: readonly Check[]): Target[] {
  const twice = checks.filter(({ what }) => /, twice$|the same bits$/.test(what));
  const equal = twice.filter(({ ok }) => ok).length;
  return twice.length
    ? [
        {
          what: "the same bits from run to run",
          found: `${equal} of ${twice.length} repetitions`,
          wanted: "all",
          met: equal === twice.length,
        },
      ]
    : [];
}

/** By the result that compares worst, of those that PyTorch does not get exactly. */
function errorTarget(deviations: readonly Deviation[]): Target[] {
  const rows = deviations.filter(({ precision, own }) => precision === "bf16" && own > 1e-4);
  if (rows.length === 0) return [];
  const worst = rows.reduce((a, b) => (b.error / b.own > a.error / a.own ? b : a));
  const ratio = worst.error / worst.own;
  const found = `${ratio.toFixed(2)} times, ${worst.what}`;
  return [{ what: "error in bf16 beside PyTorch's own", found, wanted: "at most 2 times", met: ratio <= 2 }];
}

/** What the backend must reach at 75 % masked and on dense layers, by the fastest of our precisions and forms. */
export function targetsOf(
  kernels: readonly Comparison[],
  steps: readonly Comparison[],
  checks: readonly Check[] = [],
  deviations: readonly Deviation[] = [],
): Target[] {
  const at = (rows: readonly Comparison[], pattern: RegExp, peer: RegExp) =>
    rows.filter(({ what, peer: { name } }) => pattern.test(what) && peer.test(name));
  const step = /75 % masked/;
  const layers = [
    [32, 2],
    [64, 1.3],
    [128, 1],
  ] as const;
  return [
    ...atLeast("step beside PyTorch as published", at(steps, step, /published/), 4),
    ...atLeast("step beside PyTorch at its best", at(steps, step, /best/), 2.5),
    ...memoryTarget(fastest(at(steps, step, /./).map(({ ours }) => ours))?.peakBytes),
    ...layers.flatMap(([c, wanted]) =>
      atLeast(
        `dense ${c} to ${c} forward beside cuDNN`,
        at(kernels, new RegExp(`^bf16 forward, ${c} to ${c}, .*dense`), /./),
        wanted,
      ),
    ),
    ...repeatTarget(checks),
    ...errorTarget(deviations),
  ];
}
