/** Folding the token changes nothing but rounding: beside normalise, densify, concat, convolve in float64. */
import {
  BlockMask,
  concat,
  conv3d,
  type DeviceName,
  densify,
  foldedConv3d,
  maskedNorm,
  Tape,
  type Tensor,
  tensor,
  tokenAffine,
} from "../../lib";
import { native } from "../../lib/binding";
import { launch } from "../../lib/launch";
import type { Winograd } from "../../lib/ops/conv3d";
import { type Random, rng } from "../../lib/random";
import { scope } from "../../lib/scope";
import { relativeError } from "../golden/check";
import { freeAfterEach } from "../lifetime";
import { isas } from "../op-suite-checks";

freeAfterEach();

interface Case {
  name: string;
  size: [number, number, number];
  grid: [number, number, number];
  samples?: number;
  /** Channels of up (0: none), of the skip, of the output. */
  channels: [number, number, number];
  visible: (cell: number, cells: number) => boolean;
}

const one = (cell: number) => cell === 0;
const allButOne = (cell: number, cells: number) => cell % cells !== 1;
const few = (cell: number) => cell % 4 === 1;

const cases: Case[] = [
  { name: "one visible block", size: [18, 18, 24], grid: [3, 3, 3], channels: [8, 8, 8], visible: one },
  { name: "one masked block", size: [16, 16, 16], grid: [2, 2, 2], channels: [9, 8, 20], visible: allButOne },
  { name: "no upsampled part", size: [24, 16, 12], grid: [3, 2, 3], channels: [0, 16, 12], visible: few },
  { name: "tiles do not divide", size: [15, 10, 14], grid: [3, 2, 2], channels: [8, 10, 9], visible: few },
  {
    name: "a batch whose samples differ",
    size: [12, 12, 12],
    grid: [2, 2, 2],
    samples: 3,
    channels: [8, 8, 8],
    visible: (cell) => [0, 9, 13, 16, 17, 18, 19, 20, 21, 22].includes(cell),
  },
  { name: "many channels", size: [4, 8, 8], grid: [1, 2, 2], channels: [32, 160, 96], visible: few },
];

function visibleOf({ grid, samples = 1, visible }: Case): Uint8Array {
  const cells = grid[0] * grid[1] * grid[2];
  return Uint8Array.from({ length: samples * cells }, (_, i) => Number(visible(i, cells)));
}

type Values = Record<string, Float32Array>;

function draw(
  random: Random,
  { size, samples = 1, channels: [u, c, k] }: Case,
): [Values, Record<string, number[]>] {
  const shapes: Record<string, number[]> = {
    features: [samples, c, ...size],
    token: [1, c, 1, 1, 1],
    weight: [k, u + c, 3, 3, 3],
    bias: [k],
    ...(u && { up: [samples, u, ...size] }),
    upstream: [samples, k, ...size],
  };
  const values = Object.entries(shapes).map(([name, shape]) => {
    const count = shape.reduce((a, b) => a * b, 1);
    return [name, random.fillNormal(new Float32Array(count))] as const;
  });
  return [Object.fromEntries(values), shapes];
}

interface Way {
  device: DeviceName;
  folded: boolean;
  winograd?: Winograd;
}

async function results(c: Case, values: Values, shapes: Record<string, number[]>, way: Way) {
  const double = way.device === "reference";
  const mask = new BlockMask({ samples: c.samples ?? 1, grid: c.grid, visible: visibleOf(c) });
  const t: Record<string, Tensor> = {};
  for (const [name, v] of Object.entries(values))
    t[name] = tensor(double ? Float64Array.from(v) : v, shapes[name] as number[], {
      device: way.device,
      dtype: double ? "float64" : "float32",
      requiresGrad: name !== "upstream",
      mask: name === "features" ? mask : undefined,
    });
  const { features, token, weight, bias, up, upstream } = t as Record<string, Tensor> & { features: Tensor };
  const tape = new Tape();
  const y = scope(() =>
    tape.record(() => {
      if (way.folded) {
        const { gamma, beta } = tokenAffine(token!);
        const offset = maskedNorm(features, gamma, beta, { kind: "instance" });
        return foldedConv3d({ offset, token: token! }, weight!, bias, {
          up,
          winograd: way.winograd ?? "off",
        });
      }
      const filled = densify(maskedNorm(features, undefined, undefined, { kind: "instance" }), token);
      return conv3d(up ? concat(up, filled) : filled, weight!, bias, { padding: [1, 1, 1] });
    }),
  );
  const found: Record<string, ArrayLike<number>> = { y: await y.data() };
  tape.backward(y, upstream);
  for (const name of Object.keys(values))
    if (name !== "upstream") found[name] = await (t[name] as Tensor).grad!.data();
  for (const made of [...Object.values(t), y, mask]) made.dispose();
  return found;
}

// Relative to the largest value; gradients of features go back through the norm.
const bounds = { off: 4e-6, f2: 1e-5, f4: 2e-4 } as const;

test.each(cases)("$name: folded equals plain in output and gradients", async (c) => {
  const seed = Math.floor(Math.random() * 2 ** 31);
  const [values, shapes] = draw(rng(seed, 0, "test"), c);
  const wanted = await results(c, values, shapes, { device: "reference", folded: false });
  const exact = await results(c, values, shapes, { device: "reference", folded: true });
  for (const [name, v] of Object.entries(exact))
    expect({ seed, name, error: relativeError(v, wanted[name] as ArrayLike<number>) }).toEqual({
      seed,
      name,
      error: expect.toBeAtMost(1e-12),
    });
  for (const winograd of ["off", "f2", "f4"] as const) {
    const found = await results(c, values, shapes, { device: "cpu", folded: true, winograd });
    for (const [name, v] of Object.entries(found))
      expect({ seed, winograd, name, error: relativeError(v, wanted[name] as ArrayLike<number>) }).toEqual({
        seed,
        winograd,
        name,
        error: expect.toBeAtMost(bounds[winograd]),
      });
  }
});

/** The attribute `winograd` for tests: that form whatever it costs. */
const forced = { f2: 3, f4: 4 } as const;

describe.each(isas)("%s", (isa) => {
  afterEach(() => native.configure({ isa: native.info().bestIsa }));

  test.each(cases)("$name: both forms of tiles, whatever they cost", async (c) => {
    const seed = Math.floor(Math.random() * 2 ** 31);
    const [values, shapes] = draw(rng(seed, 1, "test"), c);
    const [u, k] = [c.channels[0], c.channels[2]];
    const forward = async (device: DeviceName, winograd: number) => {
      const mask = new BlockMask({ samples: c.samples ?? 1, grid: c.grid, visible: visibleOf(c) });
      const make = (name: string, shape = shapes[name] as number[]) =>
        tensor(values[name] as Float32Array, shape, { device, mask: name === "features" ? mask : undefined });
      const channels = [u, c.channels[1]].filter((n) => n > 0);
      const parts = u ? launch("concat_backward", [make("weight")], { channels }) : [make("weight")];
      const up = u ? [make("up"), parts[0]] : [];
      const inputs = [make("features"), parts.at(-1), make("token"), make("bias", [k]), ...up];
      return (launch("folded_conv3d_forward", inputs, { winograd })[0] as Tensor).data();
    };
    native.configure({ isa });
    const wanted = await forward("reference", 0);
    for (const form of ["f2", "f4"] as const) {
      const error = relativeError(await forward("cpu", forced[form]), wanted);
      expect({ seed, form, error }).toEqual({ seed, form, error: expect.toBeAtMost(bounds[form]) });
    }
  });
});
