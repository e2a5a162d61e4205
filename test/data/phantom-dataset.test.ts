import { mkdtempSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { readNifti } from "../../lib/data/nifti";
import { type PhantomLabel, writePhantomDataset } from "../../lib/data/phantom-dataset";
import { phantom } from "../../lib/data/phantoms";
import { failure, temporaryFolder } from "./temp";

const root = temporaryFolder();
const options = { shape: [12, 14, 10] as [number, number, number], seed: 5 };

test("heads in nnU-Net's raw layout, with the split that was asked for", async () => {
  const folder = join(root, "written");
  const steps: string[] = [];
  for await (const step of writePhantomDataset(folder, 3, { ...options, first: 7, training: 1 }))
    steps.push(`${step.done}/${step.total} ${step.case}`);
  expect(steps).toEqual(["1/3 head_007", "2/3 head_008", "3/3 head_009"]);
  expect(readdirSync(join(folder, "imagesTr")).sort()).toEqual(
    ["head_007", "head_008", "head_009"].map((name) => `${name}_0000.nii.gz`),
  );
  const json = (name: string) => JSON.parse(readFileSync(join(folder, name), "utf8"));
  expect(json("splits_final.json")).toEqual([{ train: ["head_007"], val: ["head_008", "head_009"] }]);
  expect(json("dataset.json")).toMatchObject({ numTraining: 3, labels: { background: 0, lesions: 6 } });
  const written = await readNifti(join(folder, "labelsTr", "head_008.nii.gz"));
  expect(Array.from(written.data)).toEqual(Array.from(phantom(8, options).labels));
});

test("a split without a head on either side is refused before anything is written", async () => {
  const folder = mkdtempSync(join(root, "refused-"));
  for (const training of [0, 3]) {
    const error = await failure(() => writePhantomDataset(folder, 3, { ...options, training }).next());
    expect(error.message).toMatch(`training is ${training}, allowed are 1 to 2`);
  }
  expect(readdirSync(folder)).toEqual([]);
});

test("keeps the labels asked for, numbered from 1, and refuses those that no head has", async () => {
  const folder = join(root, "kept");
  const keep: PhantomLabel[] = ["ventricles", "whiteMatter"];
  for await (const _ of writePhantomDataset(folder, 1, { shape: [24, 24, 24], keep })) {
    // to its end
  }
  const { labels } = JSON.parse(readFileSync(join(folder, "dataset.json"), "utf8"));
  expect(labels).toEqual({ background: 0, ventricles: 1, whiteMatter: 2 });
  const { data } = await readNifti(join(folder, "labelsTr", "head_000.nii.gz"));
  expect([...new Set(data)].sort()).toEqual([0, 1, 2]);
  for (const wrong of [[], ["lesions", "lesions"], ["bone" as PhantomLabel]] as PhantomLabel[][])
    expect((await failure(() => writePhantomDataset(root, 1, { keep: wrong }).next())).message).toMatch(
      "allowed are different ones of fluid, greyMatter",
    );
});
