import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { foldOf, kFolds, RandomState, randomFold, readSplits, writeSplits } from "../../lib/data/splits";
import { rng } from "../../lib/random";
import { failure, temporaryFolder } from "./temp";

interface Golden {
  words: number[];
  at: number[];
  sets: { name: string; ids: string[]; val: string[][]; random: Record<string, string[]> }[];
}
const golden: Golden = JSON.parse(readFileSync(join(__dirname, "../golden/splits.json"), "utf8"));
const random = rng(Date.now(), 0, "test");
const folder = temporaryFolder();

test("the generator is numpy's", () => {
  const state = new RandomState(12345);
  const words = Array.from({ length: 1300 }, () => state.uint32());
  expect(golden.at.map((i) => words[i])).toEqual(golden.words);
});

describe.each(golden.sets)("cases called as in $name", ({ ids, val, random: others }) => {
  const shuffled = random.shuffle([...ids]);

  test("fall into scikit-learn's five folds, whatever their order", () => {
    const folds = kFolds(shuffled);
    expect(folds.map(({ validation }) => validation)).toEqual(val);
    for (const { training, validation } of folds)
      expect([...training, ...validation].sort()).toEqual([...ids].sort());
  });

  test("fall into nnU-Net's random parts beyond them", () => {
    for (const [fold, validation] of Object.entries(others))
      expect(randomFold(shuffled, Number(fold)).validation).toEqual(validation);
  });
});

test("splits_final.json comes back as it was written, in nnU-Net's form", async () => {
  const ids = Array.from({ length: 5 + random.int(20) }, (_, i) => `case_${i}`);
  const path = join(folder, "written.json");
  await writeSplits(path, kFolds(ids));
  expect(await readSplits(path)).toEqual(kFolds(ids));
  expect(Object.keys(JSON.parse(readFileSync(path, "utf8"))[0])).toEqual(["train", "val"]);
});

describe("a fold", () => {
  const ids = ["a", "b", "c", "d", "e"];
  const splits = [
    { training: ["c", "a"], validation: ["b"] },
    { training: ["a"], validation: [] },
  ];

  test("is taken from the splits given, else from five", () => {
    expect(foldOf(ids, 0, splits)).toEqual(splits[0]);
    expect(foldOf(ids, 1, splits)).toEqual(splits[1]);
    const warning = "Fold 2 was asked for, there are 2: a random 80 % of the cases train.";
    expect(foldOf(ids, 2, splits)).toEqual({ ...randomFold(ids, 2), warning });
    expect(foldOf(ids, 4)).toEqual(kFolds(ids)[4]);
    expect(foldOf(["b", "a"], "all", splits)).toEqual({ training: ["a", "b"], validation: [] });
  });

  test("names every case that does not fit", async () => {
    const bad = [{ training: ["a", "a", "x"], validation: ["a", "y"] }];
    const { code, message } = await failure(() => foldOf(ids, 0, bad, "/splits_final.json"));
    expect(code).toBe("ERR_VOXELSPARK_DATA");
    for (const part of [
      "/splits_final.json, fold 0",
      "x of train",
      "y of val",
      "twice in train",
      "train and in val",
    ])
      expect(message).toContain(part);
    expect((await failure(() => foldOf(ids, 0, [{ training: [], validation: ["a"] }]))).message).toMatch(
      /train names no case/,
    );
  });

  test("of fewer than five cases needs splits or all", async () => {
    const { message } = await failure(() => foldOf(["a", "b"], 0));
    expect(message).toMatch(/at least 5 cases, found 2.*splits_final.json.*"all"/);
  });

  test.each([
    ["no JSON", "{", /not valid JSON/],
    ["an object", "{}", /list of folds/],
    ["an empty list", "[]", /list of folds/],
    ["numbers as cases", '[{"train": [1], "val": []}]', /train and val of fold 0/],
    ["null", "[null]", /train and val of fold 0/],
  ])("is not read from %s", async (name, text, message) => {
    const path = join(folder, `${name}.json`);
    writeFileSync(path, text);
    const found = await failure(() => readSplits(path));
    expect(found.code).toBe("ERR_VOXELSPARK_FORMAT");
    expect(found.message).toMatch(message);
  });
});
