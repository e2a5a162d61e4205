import { mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { findChannelCases } from "../../lib/data/channel-files";
import { type LabelledDataset, readDataset, readDatasetJson } from "../../lib/data/dataset-json";
import { rng } from "../../lib/random";
import { drawCase, LABELS, makeDataset, writeCaseFiles, writeDatasetJson } from "./made-dataset";
import { failure, temporaryFolder } from "./temp";

const root = temporaryFolder();
let number = 0;
const next = () => join(root, String(number++));

/** Files only, nothing in them. */
function emptyDataset(cases: readonly string[], channels: number, fields: object = {}): string {
  const folder = next();
  for (const name of ["imagesTr", "labelsTr"]) mkdirSync(join(folder, name), { recursive: true });
  for (const id of cases) {
    for (let c = 0; c < channels; c++) writeFileSync(join(folder, "imagesTr", `${id}_000${c}.nii.gz`), "");
    writeFileSync(join(folder, "labelsTr", `${id}.nii.gz`), "");
  }
  const names = Object.fromEntries(Array.from({ length: channels }, (_, c) => [c, `MR${c}`]));
  writeDatasetJson(folder, { channel_names: names, labels: LABELS, file_ending: ".nii.gz", ...fields });
  return folder;
}

const names = (dataset: LabelledDataset) => dataset.cases.map(({ id }) => id);

describe("the raw layout", () => {
  test("has its cases sorted by code points, each with channels and label map", async () => {
    const ids = rng(Date.now(), 0, "test").shuffle(["b_2", "b_10", "B", "a", "é"]);
    const folder = emptyDataset(ids, 2, { numTraining: 5, name: "Heads", description: "x", licence: "y" });
    const dataset = await readDataset(folder);
    expect(names(dataset)).toEqual(["B", "a", "b_10", "b_2", "é"]);
    expect([dataset.name, dataset.channels, dataset.labels.labels]).toEqual([
      "Heads",
      ["MR0", "MR1"],
      LABELS,
    ]);
    expect(dataset.cases[3]).toEqual({
      id: "b_2",
      subject: "b_2",
      path: join(folder, "imagesTr", "b_2_0000.nii.gz"),
      further: [join(folder, "imagesTr", "b_2_0001.nii.gz")],
      label: { path: join(folder, "labelsTr", "b_2.nii.gz"), scheme: dataset.labels },
    });
  });

  test("may list its files in dataset.json instead", async () => {
    const folder = emptyDataset(["a"], 2);
    const dataset = { z: { images: ["../x.nii.gz", "/y.nii.gz"], label: "l/z.nii.gz" } };
    writeDatasetJson(folder, { channel_names: { 0: "A", 1: "B" }, labels: LABELS, dataset });
    expect((await readDataset(folder)).cases).toMatchObject([
      {
        id: "z",
        path: join(folder, "../x.nii.gz"),
        further: ["/y.nii.gz"],
        label: { path: join(folder, "l/z.nii.gz") },
      },
    ]);
    writeDatasetJson(folder, { channel_names: { 0: "A" }, labels: LABELS, dataset });
    expect((await failure(() => readDataset(folder))).message).toMatch(
      /case z lists 2 images, channel_names has 1/,
    );
  });

  test("has every missing, odd and left-over file named in one error", async () => {
    const folder = emptyDataset(["a", "b", "c", "d", "E"], 2, { numTraining: 9 });
    const at = (...parts: string[]) => join(folder, ...parts);
    rmSync(at("imagesTr", "a_0001.nii.gz"));
    rmSync(at("labelsTr", "b.nii.gz"));
    renameSync(at("imagesTr", "c_0000.nii.gz"), at("imagesTr", "c.nii.gz"));
    writeFileSync(at("imagesTr", "d_0002.nii.gz"), "");
    writeFileSync(at("imagesTr", "d_0001.nii"), "");
    writeFileSync(at("labelsTr", "x.nii.gz"), "");
    writeFileSync(at("labelsTr", "d.nii"), "");
    mkdirSync(at("labelsTr", "folder.nii.gz"));
    symlinkSync("nowhere", at("labelsTr", "link.nii.gz"));
    writeFileSync(at("imagesTr", "notes.txt"), "");
    const { code, message } = await failure(() => readDataset(folder));
    expect(code).toBe("ERR_VOXELSPARK_DATA");
    for (const part of [
      /a: channel 1 \(MR1\), a_0001.nii.gz, is missing/,
      /case b has no label map b.nii.gz/,
      /c.nii.gz has no channel number/,
      /d_0002.nii.gz is channel 2/,
      /d_0001.nii and .*d_0001.nii.gz are the same channel/,
      /x.nii.gz has no images x_0000/,
      /case d has two label maps/,
      /folder.nii.gz is no regular file/,
      /link.nii.gz is no regular file/,
      /numTraining 9, found/,
    ])
      expect(message).toMatch(part);
    expect(message).not.toContain("notes.txt");
  });

  test("of generated files is found", async () => {
    const folder = next();
    await makeDataset(folder, 2);
    expect(names(await readDataset(folder))).toEqual(["c00", "c01"]);
  });

  test("without cases is an error", async () => {
    expect((await failure(() => readDataset(emptyDataset([], 1)))).code).toBe("ERR_VOXELSPARK_EMPTY");
    expect((await failure(() => readDataset(next()))).code).toBe("ERR_VOXELSPARK_IO");
  });
});

describe("dataset.json is refused", () => {
  const good = { channel_names: { 0: "T1" }, labels: LABELS };
  test.each<[string, unknown, RegExp]>([
    ["as a list", [], /must hold an object/],
    ["without channels", { labels: LABELS }, /channel_names must be an object .* found nothing/],
    ["with the older modality", { modality: { 0: "T1" }, labels: LABELS }, /older form/],
    ["with a gap in the channels", { ...good, channel_names: { 0: "a", 2: "b" } }, /channel_names must be/],
    [
      "with another file ending",
      { ...good, file_ending: ".mha" },
      /file_ending must be one of .nii.gz, .nii/,
    ],
    ["with a text as numTraining", { ...good, numTraining: "3" }, /numTraining must be a whole number/],
    ["with a list as dataset", { ...good, dataset: [] }, /dataset must be an object of cases/],
    ["without labels", { channel_names: { 0: "T1" } }, /labels must be an object/],
  ])("%s", async (_, json, message) => {
    const path = join(root, `${number++}.json`);
    writeFileSync(path, JSON.stringify(json));
    const found = await failure(() => readDatasetJson(path));
    expect(found.code).toBe("ERR_VOXELSPARK_FORMAT");
    expect(found.message).toMatch(message);
    expect(found.message).toContain(path);
  });

  test("with two equal keys, __proto__ or a number that is none", async () => {
    const path = join(root, "text.json");
    for (const text of ['{"labels": {}, "labels": {}}', '{"__proto__": {}}', '{"a": NaN}', ""]) {
      writeFileSync(path, text);
      expect((await failure(() => readDatasetJson(path))).code).toBe("ERR_VOXELSPARK_FORMAT");
    }
  });
});

test("a folder to predict has its cases by channel files", async () => {
  const folder = next();
  const random = rng(Date.now(), 1, "test");
  for (const id of ["q", "p"]) await writeCaseFiles(folder, drawCase(id, random, 2));
  const cases = await findChannelCases([join(folder, "imagesTr")], ["A", "B"]);
  expect(cases.map(({ id, files }) => [id, files.length])).toEqual([
    ["p", 2],
    ["q", 2],
  ]);
});
