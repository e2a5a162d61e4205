import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import fc from "fast-check";
import {
  createPlan,
  cumulativeStrides,
  diffPlans,
  learningRate,
  overridePlan,
  type Plan,
  PRESETS,
  planFromFile,
  planFromJson,
  planToJson,
  resumePlan,
  validationSubjects,
} from "../../lib/plans/plan";

const messageOf = (f: () => unknown): string => {
  try {
    f();
  } catch (error) {
    expect((error as { code?: string }).code).toBe("ERR_VOXELSPARK_PLAN");
    return (error as Error).message;
  }
  throw new Error("nothing was thrown");
};

/** Builds { a: { b: value } } from "a.b". */
const at = (dotted: string, value: unknown): unknown =>
  dotted.split(".").reduceRight<unknown>((inner, key) => ({ [key]: inner }), value);

/** Every leaf path of the default plan. */
const leaves = (value: unknown, prefix = ""): string[] =>
  typeof value === "object" && value !== null && !Array.isArray(value)
    ? Object.entries(value).flatMap(([k, v]) => leaves(v, prefix === "" ? k : `${prefix}.${k}`))
    : [prefix];

describe("defaults and presets", () => {
  test("the default plan is the paper's", () => {
    const plan = createPlan();
    expect(plan.network.features).toEqual([32, 64, 128, 256, 320, 320]);
    expect(plan.network.blocks).toEqual([1, 3, 4, 6, 6, 6]);
    expect(plan.patch).toEqual([160, 160, 160]);
    expect([plan.batch, plan.steps]).toEqual([6, 250000]);
    expect(plan.mask).toEqual({ block: 32, ratio: [0.6, 0.9], per: "batch", coarse: null });
    expect(plan.optimizer).toMatchObject({
      learningRate: 0.01,
      momentum: 0.99,
      weightDecay: 3e-5,
      clip: 12,
      polyPower: 0.9,
    });
    expect(plan.upstreamParity).toBe(false);
    expect(cumulativeStrides(plan.network.strides).at(-1)).toEqual([32, 32, 32]);
  });

  test.each(Object.keys(PRESETS) as (keyof typeof PRESETS)[])(
    "preset %s is valid, complete and frozen",
    (name) => {
      const plan = createPlan({}, name);
      expect(plan).toEqual(PRESETS[name]);
      expect(leaves(plan).sort()).toEqual(leaves(PRESETS.s3d).sort());
      expect(planFromJson(JSON.parse(planToJson(plan)))).toEqual(plan);
      const mutable = plan as unknown as { batch: number; network: { features: number[] } };
      expect(() => {
        mutable.batch = 9;
      }).toThrow(/read only/);
      expect(() => mutable.network.features.push(1)).toThrow(/not extensible/);
    },
  );

  test("parts of a plan override the preset field by field; lists as a whole", () => {
    const plan = createPlan({ mask: { ratio: 0.75 }, network: { features: [4, 8, 8, 8] } }, "tiny");
    expect(plan.mask).toEqual({ block: 8, ratio: 0.75, per: "batch", coarse: null });
    expect(plan.network.features).toEqual([4, 8, 8, 8]);
    expect(plan.network.blocks).toEqual(PRESETS.tiny.network.blocks);
    expect(overridePlan(plan, { seed: 5 }).seed).toBe(5);
    expect(messageOf(() => overridePlan(plan, { patch: [50, 48, 48] }))).toContain("nearest: 48 and 56");
  });

  test("upstreamParity moves the mask defaults that it documents, unless they are stated", () => {
    expect(createPlan({ upstreamParity: true }).padding).toBe("zero");
    expect(createPlan({ upstreamParity: true }).mask).toMatchObject({ block: 16, coarse: "dense" });
    const stated = createPlan({ upstreamParity: true, mask: { block: 32, coarse: null } });
    expect(stated.mask).toMatchObject({ block: 32, coarse: null });
  });

  test("an unknown preset is refused with the known ones", () => {
    expect(messageOf(() => createPlan({}, "huge" as "tiny"))).toContain("allowed: s3d, small, tiny");
    expect(messageOf(() => createPlan({}, "toString" as "tiny"))).toContain("allowed: s3d, small, tiny");
  });
});

describe("bad fields", () => {
  const BAD: [string, unknown, string][] = [
    ["batch", 0, "batch must be a whole number from 1 to 1024, found 0."],
    ["batch", 1.5, "batch must be a whole number from 1 to 1024, found 1.5."],
    ["batch", "6", 'batch must be a whole number from 1 to 1024, found "6".'],
    ["batch", Number.NaN, "found NaN."],
    ["batch", null, "found null."],
    ["batch", true, "found true."],
    ["steps", 1e9, "steps must be a whole number from 1 to 100000000, found 1000000000."],
    ["seed", -1, "seed must be a whole number from 0 to"],
    ["seed", 2 ** 53, "seed must be a whole number from 0 to"],
    ["version", 2, "version must be 1, the plan version that this release reads, found 2."],
    ["name", "", "name must be a text of 1 to 200 characters"],
    ["device", "gpu", 'device must be "auto" or "cpu" or "cuda", found "gpu".'],
    ["precision", "float16", 'precision must be "fp32" or "bf16" or "fp16", found "float16".'],
    ["upstreamParity", 1, "upstreamParity must be true or false, found 1."],
    ["patch", 160, "patch must be a list of three sizes [z, y, x], found 160."],
    ["patch", [160, 160], "patch must be a list of three sizes [z, y, x], found [160,160]."],
    ["patch", [160, 160, 160, 160], "patch must be a list of three sizes"],
    ["patch", [160, 160, "160"], 'patch[2] must be a whole number from 4 to 1024, found "160".'],
    ["network", [], "network must be an object, found []."],
    ["network", null, "network must be an object, found null."],
    ["network.features", [32], "network.features must be a list of 2 to 8 channel counts"],
    [
      "network.features",
      [32, -1, 3, 4, 5, 6],
      "network.features[1] must be a whole number from 1 to 4096, found -1.",
    ],
    ["network.norm", "layer", 'network.norm must be "instance" or "batch", found "layer".'],
    [
      "network.strides",
      [
        [1, 1, 1],
        [2, 2],
      ],
      "network.strides[1] must be a list of three strides",
    ],
    [
      "network.decoder.convs",
      [0, 1],
      "network.decoder.convs[0] must be a whole number from 1 to 8, found 0.",
    ],
    ["mask.ratio", 0, "mask.ratio must be a number above 0 and below 1, found 0."],
    [
      "mask.ratio",
      {},
      "mask.ratio must be a number above 0 and below 1, or a list [low, high] of two such numbers, found {}.",
    ],
    ["mask.ratio", 1, "mask.ratio must be a number above 0 and below 1"],
    ["mask.ratio", Number.NaN, "found NaN."],
    ["mask.ratio", [0.6], "found [0.6]."],
    ["mask.ratio", [0.6, 1], "mask.ratio[1] must be a number above 0 and below 1, found 1."],
    ["mask.ratio", "0.75", 'found "0.75".'],
    ["mask.coarse", "none", 'mask.coarse must be "dense", "any" or null, found "none".'],
    ["mask.per", "step", 'mask.per must be "batch" or "sample", found "step".'],
    ["optimizer.learningRate", 0, "optimizer.learningRate must be a number above 0"],
    ["optimizer.learningRate", Number.POSITIVE_INFINITY, "found Infinity."],
    ["optimizer.momentum", 1, "optimizer.momentum must be a number from 0 to 0.9999, found 1."],
    ["optimizer.clip", 0, "optimizer.clip must be a number above 0"],
    ["optimizer.clip", "12", 'optimizer.clip must be a number above 0 or null, found "12".'],
    [
      "preprocessing.spacing",
      [1, 1, 0],
      "preprocessing.spacing[2] must be a number from 0.01 to 100, found 0.",
    ],
    [
      "preprocessing.spacing",
      1,
      "preprocessing.spacing must be a list of three spacings from 0.01 to 100 mm",
    ],
    ["preprocessing.spacing", "mean", 'found "mean".'],
    [
      "augmentation.rotation.probability",
      2,
      "augmentation.rotation.probability must be a number from 0 to 1, found 2.",
    ],
    [
      "augmentation.scaling.range",
      [1.2, 1.4],
      "augmentation.scaling.range[0] must be a number from 0.1 to 1, found 1.2.",
    ],
    [
      "augmentation.mirroring.axes",
      [3],
      "augmentation.mirroring.axes[0] must be a whole number from 0 to 2, found 3.",
    ],
    ["loader.workers", -1, "loader.workers must be a whole number from 0 to 256, found -1."],
    ["batches", 6, "batches is not a key of a plan; did you mean batch? allowed here: version, name"],
    [
      "mask.blok",
      6,
      "mask.blok is not a key of a plan; did you mean block? allowed here: block, ratio, per, coarse.",
    ],
    ["constructor", {}, "constructor is not a key of a plan"],
    ["network.decoder.x", 1, "network.decoder.x is not a key of a plan; "],
  ];

  test.each(BAD)("%s = %p", (field, value, expected) => {
    expect(messageOf(() => createPlan(at(field, value)))).toContain(expected);
  });

  test.each(leaves(PRESETS.s3d))("%s refuses foreign types and survives nothing silently", (field) => {
    for (const value of [{}, { a: 1 }, [[]], -Infinity, "\u0000", Symbol.iterator.toString()]) {
      if (field === "name" && typeof value === "string") continue;
      expect(messageOf(() => createPlan(at(field, value)))).toContain(field);
    }
  });

  test.each([null, 5, "x", [], true])("a plan that is %p", (value) => {
    expect(messageOf(() => createPlan(value))).toContain("The plan must be an object");
  });

  test("a saved plan must be complete", () => {
    const { mask: _, ...rest } = createPlan();
    expect(messageOf(() => planFromJson(rest))).toContain("mask is missing; it must be an object.");
  });

  test("many faults are listed, one a line, and long lists are cut", () => {
    const message = messageOf(() => createPlan({ batch: 0, steps: 0 }));
    expect(message.split("\n")).toHaveLength(3);
    const junk = Object.fromEntries(Array.from({ length: 500 }, (_, i) => [`key${i}`, i]));
    expect(messageOf(() => createPlan(junk))).toMatch(/and 480 more\.$/);
  });
});

test("precision has had another name", () => {
  expect(createPlan({ precision: "float32" }).precision).toBe("fp32");
  expect(planFromJson({ ...createPlan(), precision: "float32" })).toEqual(createPlan());
});

describe("rules between fields", () => {
  const BROKEN: [string, unknown, string][] = [
    [
      "patch",
      { patch: [160, 160, 100] },
      "patch[2] must be a multiple of the network's total stride 32, found 100; nearest: 96 and 128.",
    ],
    ["small patch", { patch: [16, 160, 160] }, "found 16; nearest: 32."],
    [
      "block",
      { mask: { block: 30 } },
      "mask.block must divide the patch [160, 160, 160] on every axis, found 30; nearest: 16 and 32.",
    ],
    [
      "block, stages",
      { mask: { block: 40 } },
      "mask.block must be a multiple or a divisor of every stage's total stride (last: [32, 32, 32]), found 40; nearest: 32.",
    ],
    [
      "block, coarse",
      { mask: { block: 16 } },
      'mask.coarse must be "dense" or "any", since a voxel of stage 5 (total stride [32, 32, 32]) is larger than a mask block of 16, found null',
    ],
    [
      "one block",
      { patch: [32, 32, 32] },
      "mask.block must leave at least 2 blocks in the patch [32, 32, 32], found 32, which leaves 1.",
    ],
    [
      "nothing masked",
      { patch: [64, 64, 64], mask: { ratio: 0.1 } },
      "mask.ratio must mask at least one of the patch's 8 blocks, found 0.1; smallest ratio: 0.125.",
    ],
    [
      "order",
      { mask: { ratio: [0.9, 0.6] } },
      "mask.ratio must be [low, high] with low <= high, found [0.9,0.6].",
    ],
    [
      "stages",
      { network: { blocks: [1, 3] } },
      "network.blocks must have 6 entries, one a stage as network.features has, found 2.",
    ],
    [
      "decoder",
      { network: { decoder: { convs: [1] } } },
      "network.decoder.convs must have 5 entries, one less than network.features, found 1.",
    ],
    [
      "kernel",
      { network: { kernels: Array(6).fill([3, 2, 3]) } },
      "network.kernels[0][1] must be odd, found 2; nearest: 1 and 3.",
    ],
    ["stride 0", { network: { strides: Array(6).fill([2, 2, 2]) } }, "network.strides[0] must be [1, 1, 1]"],
    ["channels", { network: { outChannels: 2 } }, "network.outChannels must equal network.inChannels (1)"],
    [
      "warm-up",
      { optimizer: { warmupSteps: 250000 } },
      "optimizer.warmupSteps must be below steps (250000), found 250000.",
    ],
    [
      "nesterov",
      { optimizer: { momentum: 0 } },
      "optimizer.nesterov must be false where optimizer.momentum is 0",
    ],
    [
      "validation",
      { validation: { maxSubjects: 2 } },
      "validation.minSubjects must not exceed validation.maxSubjects (2), found 5.",
    ],
    [
      "16 bits",
      { device: "cpu", precision: "bf16" },
      'precision must be "fp32" where device is "cpu", since 16-bit feature maps exist on CUDA only, found "bf16"; or take device "cuda" or "auto".',
    ],
    ["axes", { augmentation: { mirroring: { axes: [0, 0] } } }, "must name each axis once, found [0, 0]."],
  ];

  test.each(BROKEN)("%s", (_, input, expected) => {
    expect(messageOf(() => createPlan(input))).toContain(expected);
  });

  test.each([
    ["block 16 with a stated rule", { mask: { block: 16, coarse: "any" } }],
    ["block 1", { mask: { block: 1, coarse: "dense" } }],
    ["block 160 / 2", { patch: [128, 64, 64], mask: { block: 64, ratio: 0.5 } }],
    [
      "anisotropic",
      {
        patch: [32, 160, 160],
        network: {
          strides: [
            [1, 1, 1],
            [1, 2, 2],
            [2, 2, 2],
            [2, 2, 2],
            [2, 2, 2],
            [1, 2, 2],
          ],
        },
      },
    ],
    ["own spacing", { preprocessing: { spacing: null } }],
    ["no clip", { optimizer: { clip: null } }],
  ])("accepts %s", (_, input) => {
    expect(() => createPlan(input)).not.toThrow();
  });

  test("the nearest values offered are themselves valid, over a grid of sizes", () => {
    for (let size = 33; size < 200; size += 7) {
      if (size % 32 === 0) continue;
      const bad = () => createPlan({ patch: [size, 160, 160] });
      const near = messageOf(bad).match(/nearest: (\d+)(?: and (\d+))?/)!;
      for (const better of [near[1], near[2]]) {
        if (better !== undefined) createPlan({ patch: [Number(better), 160, 160] });
      }
    }
    for (let block = 2; block < 160; block++) {
      try {
        createPlan({ mask: { block, coarse: "any" } });
      } catch (error) {
        const offered = (error as Error).message.match(/nearest: (\d+)(?: and (\d+))?/)!;
        expect(offered).not.toBeNull();
        for (const better of [offered[1], offered[2]]) {
          if (better !== undefined) createPlan({ mask: { block: Number(better), coarse: "any" } });
        }
      }
    }
  });

  test("random input either gives a valid plan or a PlanError", () => {
    const anything = fc.anything({ maxDepth: 3, withBigInt: true, withDate: true, withNullPrototype: true });
    const field = fc.constantFrom(...leaves(PRESETS.s3d), ...Object.keys(PRESETS.s3d));
    fc.assert(
      fc.property(field, anything, (path, value) => {
        try {
          planFromJson(JSON.parse(planToJson(createPlan(at(path, value)))));
        } catch (error) {
          expect((error as { code?: string }).code).toBe("ERR_VOXELSPARK_PLAN");
        }
      }),
      { numRuns: 3000, seed: 1 },
    );
  });
});

describe("files", () => {
  let folder: string;
  beforeAll(() => {
    folder = mkdtempSync(path.join(os.tmpdir(), "plan-"));
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  const write = (content: string | Buffer): string => {
    const file = path.join(folder, "plan.json");
    writeFileSync(file, content);
    return file;
  };

  test("a complete plan survives the round trip; a partial one is filled from the preset", async () => {
    const plan = createPlan({ seed: 3, mask: { ratio: 0.6 } }, "small");
    expect(await planFromFile(write(planToJson(plan)))).toEqual(plan);
    const partial = await planFromFile(write('{"seed": 9}'), { preset: "tiny", overrides: { steps: 7 } });
    expect(partial).toEqual({ ...PRESETS.tiny, seed: 9, steps: 7 });
  });

  test.each<[string, string | Buffer, string]>([
    ["not JSON", "{seed: 1}", "not valid JSON"],
    ["empty", "", "not valid JSON"],
    ["NaN", '{"batch": NaN}', "not valid JSON"],
    ["not UTF-8", Buffer.from([0x7b, 0xff, 0x7d]), "not UTF-8"],
    ["__proto__", '{"__proto__": {"batch": 1}}', '"__proto__"'],
    ["escaped __proto__", '{"mask": {"\\u005f_proto__": 1}}', '"__proto__"'],
    ["duplicate", '{"seed": 1, "seed": 2}', 'the key "seed" occurs twice'],
    ["deep", `{"mask": ${"[".repeat(1e5)}${"]".repeat(1e5)}}`, "deeper than the 64 levels"],
    ["overflow", '{"optimizer": {"learningRate": 1e999}}', "found Infinity."],
    ["too large", Buffer.alloc(16 * 2 ** 20 + 1, 32), "at most 16777216 are allowed"],
  ])("refuses a file that is %s, naming it", async (_, content, expected) => {
    const file = write(content);
    const error = await planFromFile(file).then(
      () => undefined,
      (e: Error) => e,
    );
    expect(error?.message).toContain(expected);
    expect(error?.message).toContain(file);
    expect(({} as { batch?: number }).batch).toBeUndefined();
  });

  test("a missing file is an I/O error with its name", async () => {
    const file = path.join(folder, "none.json");
    await expect(planFromFile(file)).rejects.toMatchObject({
      code: "ERR_VOXELSPARK_IO",
      message: expect.stringContaining(file),
    });
  });
});

describe("resume", () => {
  const plan = createPlan({}, "tiny");

  test("differences are listed by JSON path", () => {
    const other = overridePlan(plan, { mask: { ratio: 0.5 }, network: { features: [8, 16, 32, 64] } });
    expect(diffPlans(plan, plan)).toEqual([]);
    expect(diffPlans(plan, other)).toEqual([
      { path: "network.features", before: [8, 16, 32, 32], after: [8, 16, 32, 64] },
      { path: "mask.ratio", before: [0.6, 0.9], after: 0.5 },
    ]);
  });

  test("workers, device and checkpoint policy may change; anything that moves a number may not", () => {
    const wanted = overridePlan(plan, { device: "cpu", loader: { workers: 0 }, checkpoint: { every: 3 } });
    expect(resumePlan(plan, wanted)).toBe(wanted);
    const operational = /^(name|device|cudaGraph|loader|checkpoint)/;
    for (const field of leaves(PRESETS.s3d).filter((f) => !operational.test(f))) {
      const changed = structuredClone(plan) as unknown as Record<string, unknown>;
      const keys = field.split(".");
      const parent = keys.slice(0, -1).reduce((o, k) => o[k] as Record<string, unknown>, changed);
      parent[keys.at(-1)!] = "changed";
      expect(messageOf(() => resumePlan(plan, changed as unknown as Plan))).toContain(`${field} was `);
    }
  });
});

test("steps whose masks are made within them are no CUDA graphs", () => {
  const coarse = { cudaGraph: true, mask: { block: 16, coarse: "any" as const } };
  expect(messageOf(() => createPlan(coarse))).toContain('cudaGraph must be false where mask.coarse is "any"');
  expect(createPlan({ ...coarse, cudaGraph: false }).mask.coarse).toBe("any");
});

describe("what follows from a plan", () => {
  test("learning rate: the paper's curve, upstream's stairs, warm-up", () => {
    const lr = learningRate(createPlan());
    expect(lr(0)).toBe(0.01);
    expect(lr(125000)).toBeCloseTo(5.3589e-3, 7);
    expect(lr(250000)).toBe(0);
    const stairs = learningRate(createPlan({ upstreamParity: true }));
    expect(stairs(249)).toBe(0.01);
    expect(stairs(500 * 250 + 17)).toBe(lr(125000));
    expect(stairs(249999)).toBeCloseTo(1.995e-5, 8);
    const warm = learningRate(createPlan({ steps: 110, optimizer: { warmupSteps: 10 } }));
    expect([warm(0), warm(9), warm(10), warm(110)]).toEqual([0.001, 0.01, 0.01, 0]);
    expect(learningRate(createPlan({ optimizer: { polyPower: 0 } }))(249999)).toBe(0.01);
  });

  test.each([
    [0, 0],
    [1, 0],
    [2, 1],
    [8, 4],
    [100, 5],
    [39168, 391],
    [200000, 1000],
  ])("of %p subjects %p validate", (subjects, expected) => {
    expect(validationSubjects(createPlan(), subjects)).toBe(expected);
  });
});
