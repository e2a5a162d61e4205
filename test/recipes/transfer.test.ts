/** Weights taken from pre-training: which, with what values, and what is refused. */
import { join } from "node:path";
import { openSafetensors, writeSafetensors } from "../../lib/checkpoints/safetensors";
import type { FinetunePlanInput } from "../../lib/plans/finetune";
import { buildSegmenter, groupOf } from "../../lib/recipes/segmenter";
import { buildS3D } from "../../lib/recipes/step";
import { transferWeights } from "../../lib/recipes/transfer";
import { failure, temporaryFolder } from "../data/temp";
import { tinyTuning } from "../finetune-fixtures";
import { tinyPlan } from "../fixtures";

const root = temporaryFolder();
const file = join(root, "s3d.safetensors");
const trained = new Map<string, Float32Array>();
const STEM = "encoder.stem.convs.0.conv.weight";

beforeAll(async () => {
  using model = buildS3D(tinyPlan({ seed: 9 }), "cpu");
  for (const [name, t] of model.state()) trained.set(name, (await t.data()) as Float32Array);
  const sources = [...model.state()].map(([name, { shape }]) => ({
    name,
    shape,
    data: () => trained.get(name)!,
  }));
  await writeSafetensors(file, [
    ...sources,
    { name: "teacher.weight", shape: [2], data: () => Float32Array.of(1, 2) },
  ]);
});

async function transferred(transfer: "encoder" | "encoder+decoder", input: FinetunePlanInput = {}) {
  using model = buildSegmenter(tinyTuning({ ...input, transfer }), "cpu");
  const read = async () => {
    const values = new Map<string, Float32Array>();
    for (const [name, t] of model.state()) values.set(name, (await t.data()) as Float32Array);
    return values;
  };
  const before = await read();
  await using weights = await openSafetensors(file);
  const report = await transferWeights(model, weights, transfer).catch((error) => {
    expect([...before].every(([name, values]) => values === before.get(name))).toBe(true);
    throw error;
  });
  return { report, before, after: await read() };
}

test.each([
  ["encoder", ["encoder"]],
  ["encoder+decoder", ["encoder", "decoder"]],
] as const)("%s: every tensor of it and none else", async (transfer, groups) => {
  const { report, before, after } = await transferred(transfer);
  const taken = (name: string) => (groups as readonly string[]).includes(groupOf(name));
  for (const [name, values] of after) expect(values).toEqual((taken(name) ? trained : before).get(name));
  expect(report.loaded).toEqual([...after.keys()].filter(taken));
  expect(report.reinitialised).toEqual([...after.keys()].filter((name) => !taken(name)));
  expect(report.adapted).toEqual([]);
  expect(report.unexpected).toEqual(["teacher.weight"]);
  const reasons = Object.fromEntries(report.skipped.map(({ name, why }) => [name, why]));
  expect(reasons).toMatchObject({
    "mask_tokens.0": "mask token",
    "densify_projs.1.weight": "densify convolution",
    "decoder.seg_layers.0.weight": "head",
    ...(transfer === "encoder" ? { "decoder.transpconvs.0.weight": "decoder" } : {}),
  });
  expect(report.loaded.length + report.skipped.length + 1).toBe(trained.size + 1);
});

test("a stem for three channels is the trained one, repeated and divided by three", async () => {
  const { report, after } = await transferred("encoder", { channels: ["T1", "T2", "FLAIR"] });
  expect(report.adapted).toEqual([{ name: STEM, from: [4, 1, 3, 3, 3], to: [4, 3, 3, 3, 3] }]);
  expect(report.loaded).not.toContain(STEM);
  const [one, three] = [trained.get(STEM)!, after.get(STEM)!];
  for (let k = 0; k < 4; k++)
    for (let c = 0; c < 3; c++)
      for (let i = 0; i < 27; i++)
        expect(three[(k * 3 + c) * 27 + i]).toBe(Math.fround(one[k * 27 + i]! / 3));
  expect(after.get("encoder.stem.convs.0.conv.bias")).toEqual(trained.get("encoder.stem.convs.0.conv.bias"));
});

test.each<[string, FinetunePlanInput, RegExp[]]>([
  [
    "other widths",
    { network: { features: [4, 12] } },
    [
      /encoder\.stages\.1\.blocks\.0\.conv1\.conv\.weight has shape \[8, 4, 3, 3, 3\], the network needs \[12, 4, 3, 3, 3\]/,
    ],
  ],
  [
    "more blocks",
    { network: { blocks: [1, 2] } },
    [/missing encoder\.stages\.1\.blocks\.1\.conv1\.conv\.weight \[8, 8, 3, 3, 3\]/],
  ],
  [
    "fewer stages",
    {
      network: {
        features: [4, 8, 8],
        blocks: [1, 1, 1],
        kernels: [
          [3, 3, 3],
          [3, 3, 3],
          [3, 3, 3],
        ],
        strides: [
          [1, 1, 1],
          [2, 2, 2],
          [2, 2, 2],
        ],
        decoder: { convs: [1, 1] },
      },
    },
    [/missing encoder\.stages\.2/],
  ],
])("refuses %s, naming the tensors", async (_, input, expected) => {
  const { code, message } = await failure(() => transferred("encoder", input));
  expect(code).toBe("ERR_VOXELSPARK_CHECKPOINT");
  expect(message).toContain("s3d.safetensors cannot be transferred, it is of another architecture");
  for (const pattern of expected) expect(message).toMatch(pattern);
});

test("refuses a checkpoint with layers that the network lacks", async () => {
  const deeper = join(root, "deeper.safetensors");
  using model = buildS3D(tinyPlan({ network: { blocks: [1, 2] } }), "cpu");
  await writeSafetensors(
    deeper,
    [...model.state()].map(([name, t]) => ({ name, shape: t.shape, data: () => t.data() })),
  );
  using segmenter = buildSegmenter(tinyTuning(), "cpu");
  await using weights = await openSafetensors(deeper);
  const { message } = await failure(() => transferWeights(segmenter, weights, "encoder"));
  expect(message).toMatch(/unexpected encoder\.stages\.1\.blocks\.1\.conv1\.conv\.weight/);
});
