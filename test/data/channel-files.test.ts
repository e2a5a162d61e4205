import { mkdirSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { findChannelCases } from "../../lib/data/channel-files";
import { failure, temporaryFolder } from "./temp";

const root = temporaryFolder();
let made = 0;
function folderOf(...names: string[]): string {
  const folder = join(root, String(made++));
  mkdirSync(folder);
  for (const name of names) writeFileSync(join(folder, name), "");
  return folder;
}
const shown = async (inputs: string[], channels: string[]) =>
  (await findChannelCases(inputs, channels)).map(({ id, files }) => [id, ...files.map((f) => basename(f))]);

test("channels are sorted into cases, other files are left alone", async () => {
  const names = [
    "b_0001.nii.gz",
    "b_0000.nii.gz",
    "a_1_0000.nii",
    "a_1_0001.nii.gz",
    "notes.txt",
    ".c_0000.nii",
  ];
  expect(await shown([folderOf(...names)], ["T1", "T2"])).toEqual([
    ["a_1", "a_1_0000.nii", "a_1_0001.nii.gz"],
    ["b", "b_0000.nii.gz", "b_0001.nii.gz"],
  ]);
});

test("one channel needs no number; files can be named one by one, twice as well", async () => {
  const folder = folderOf("x.nii.gz", "y_0000.nii.gz");
  const wanted = [
    ["x", "x.nii.gz"],
    ["y", "y_0000.nii.gz"],
  ];
  expect(await shown([folder], ["T1"])).toEqual(wanted);
  expect(await shown([join(folder, "x.nii.gz"), folder], ["T1"])).toEqual(wanted);
});

test.each<[string, string[], string[], RegExp[]]>([
  [
    "a missing channel",
    ["a_0000.nii", "b_0001.nii"],
    ["T1", "T2"],
    [/2 faults/, /a: channel 1 \(T2\)/, /b: channel 0 \(T1\)/],
  ],
  [
    "one channel too many",
    ["a_0000.nii", "a_0001.nii"],
    ["T1"],
    [/a_0001\.nii is channel 1, allowed are _0000 \(T1\)/],
  ],
  ["a file without number", ["a.nii"], ["T1", "T2"], [/a\.nii has no channel number/]],
  [
    "two endings",
    ["a_0000.nii", "a_0000.nii.gz"],
    ["T1"],
    [/a_0000\.nii and .*a_0000\.nii\.gz are the same channel/],
  ],
  ["names that differ by case", ["a_0000.nii", "A_0000.nii"], ["T1"], [/are the same channel/]],
  ["an empty folder", [], ["T1"], [/no \.nii or \.nii\.gz file was found/]],
])("%s", async (_, names, channels, messages) => {
  const { code, message } = await failure(() => findChannelCases([folderOf(...names)], channels));
  expect(code).toBe(names.length ? "ERR_VOXELSPARK_DATA" : "ERR_VOXELSPARK_EMPTY");
  for (const part of messages) expect(message).toMatch(part);
});

test("an input that is not there, or no image", async () => {
  expect((await failure(() => findChannelCases([join(root, "none")], ["T1"]))).code).toBe(
    "ERR_VOXELSPARK_IO",
  );
  const text = join(folderOf("a.txt"), "a.txt");
  expect((await failure(() => findChannelCases([text], ["T1"]))).message).toMatch(/no folder and no \.nii/);
});
