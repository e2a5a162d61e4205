import { execFileSync } from "node:child_process";
import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { findCases } from "../../lib/data/sources";
import { failure, temporaryFolder } from "./temp";

const root = temporaryFolder();
let count = 0;

/** A fresh folder with empty files of the given names. */
function tree(...names: string[]): string {
  const folder = join(root, `tree${count++}`);
  mkdirSync(folder);
  for (const name of names) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), "");
  }
  return folder;
}

const ids = async (input: string): Promise<string[]> => (await findCases(input)).map((c) => c.id);

describe("a folder", () => {
  test("is searched recursively; other files and hidden ones are ignored", async () => {
    const folder = tree(
      "b.nii.gz",
      "deep/er/a.nii",
      "deep/notes.txt",
      ".hidden/c.nii",
      ".x.nii",
      "UPPER.NII.GZ",
    );
    expect(await ids(folder)).toEqual(["UPPER", "b", "deep__er__a"]);
  });

  test("link loops end, links to files count", async () => {
    const folder = tree("sub/a.nii");
    symlinkSync(folder, join(folder, "sub", "loop"));
    symlinkSync(join(folder, "sub"), join(folder, "again"));
    expect(await ids(folder)).toHaveLength(1);
  });

  test("FIFOs, folders and dangling links named like images are all listed, without blocking", async () => {
    const folder = tree("ok.nii", "dir.nii.gz/x.txt");
    execFileSync("mkfifo", [join(folder, "pipe.nii")]);
    symlinkSync(join(folder, "gone"), join(folder, "dangling.nii"));
    const error = await failure(() => findCases(folder));
    expect(error.code).toBe("ERR_VOXELSPARK_DATA");
    expect(error.message).toMatch(/3 entries/);
    for (const name of [
      "dir.nii.gz (a folder)",
      "pipe.nii (no regular file)",
      "dangling.nii (a link to nowhere)",
    ]) {
      expect(error.message).toContain(name);
    }
  });

  test("a labelled data set is refused as a whole; its images are not", async () => {
    const folder = tree("dataset.json", "imagesTr/a_0000.nii.gz", "labelsTr/a.nii.gz");
    expect(await failure(() => findCases(folder))).toMatchObject({
      code: "ERR_VOXELSPARK_DATA",
      message: expect.stringMatching(/raw layout, whose label maps are no images; name .*imagesTr\./),
    });
    expect(await ids(join(folder, "imagesTr"))).toEqual(["a_0000"]);
  });

  test("channels of nnU-Net's cases are images of one subject; other numbered images are not", async () => {
    const subjects = async (...names: string[]) =>
      (await findCases(tree(...names))).map(({ subject }) => subject);
    const cases = ["a_0000.nii.gz", "a_0001.nii.gz", "b_0001.nii.gz", "b_0003.nii.gz", "c.nii.gz"];
    expect(await subjects(...cases)).toEqual(["a", "a", "b", "b", "c"]);
    expect(await subjects("x/a_0000.nii", "x/a_0001.nii", "y/a_0000.nii")).toEqual(["x__a", "x__a", "y__a"]);
    const other = [
      "scan_0001",
      "scan_0002",
      "year/head_2019",
      "year/head_2020",
      "many/i_0000",
      "many/i_0400",
    ];
    expect(await subjects(...other.map((name) => `${name}.nii`))).toEqual(
      other.map((name) => name.replace("/", "__")).sort(),
    );
  });

  test("without images it is an error", async () => {
    const folder = tree("readme.txt");
    expect(await failure(() => findCases(folder))).toEqual({
      code: "ERR_VOXELSPARK_EMPTY",
      message: `${folder} holds no images: no .nii or .nii.gz file was found.`,
    });
  });

  test.each([
    ["two endings", ["a.nii", "a.nii.gz"]],
    ["upper and lower case", ["a.nii", "A.nii"]],
    ["joined paths", ["a__b.nii", "a/b.nii"]],
  ])("clashing names: %s", async (_name, names) => {
    const error = await failure(async () => findCases(tree(...names)));
    expect(error.code).toBe("ERR_VOXELSPARK_DATA");
    expect(error.message).toMatch(/used twice/);
    for (const name of names) expect(error.message).toContain(name);
  });
});

test("one file is a set of one", async () => {
  const folder = tree("head.nii.gz");
  expect(await ids(join(folder, "head.nii.gz"))).toEqual(["head"]);
});

test("a missing input and a foreign file are errors", async () => {
  expect((await failure(() => findCases(join(root, "none")))).code).toBe("ERR_VOXELSPARK_IO");
  expect((await failure(async () => findCases(join(tree("a.txt"), "a.txt")))).message).toMatch(/is needed/);
  expect((await failure(() => findCases("/dev/null"))).message).toMatch(/no regular file/);
});

test("a BIDS tree gives the anatomical images of all modalities and sessions", async () => {
  const folder = tree(
    "dataset_description.json",
    "sub-01/anat/sub-01_T1w.nii.gz",
    "sub-01/anat/sub-01_desc-brain_mask.nii.gz",
    "sub-01/anat/sub-01_dseg.nii.gz",
    "sub-01/func/sub-01_task-rest_bold.nii.gz",
    "sub-02/ses-a/anat/sub-02_ses-a_FLAIR.nii",
    "sub-02/ses-b/anat/sub-02_ses-b_acq-hi_T2w.nii.gz",
    "derivatives/tool/sub-01/anat/sub-01_T1w.nii.gz",
  );
  const cases = await findCases(folder);
  expect(cases.map((c) => [c.id, c.modality, c.subject])).toEqual([
    ["sub-01_T1w", "T1w", "sub-01"],
    ["sub-02_ses-a_FLAIR", "FLAIR", "sub-02"],
    ["sub-02_ses-b_acq-hi_T2w", "T2w", "sub-02"],
  ]);
});

describe("pretrain_data.json", () => {
  const image = {
    name: "t1.nii.gz",
    modality: "T1",
    image_info: {},
    image_path: "$VOXELSPARK_TEST_RAW/a/t1.nii.gz",
    associated_masks: null,
  };
  const list = (images: unknown) => ({
    collection_index: 1,
    collection_name: "Coll",
    datasets: {
      ds: {
        dataset_index: 0,
        subjects: { s1: { subject_id: "s1", sessions: { x: { session_id: "x", images } } } },
      },
    },
  });
  function write(value: unknown): string {
    const path = join(tree(), "pretrain_data.json");
    writeFileSync(path, typeof value === "string" ? value : JSON.stringify(value));
    return path;
  }
  beforeAll(() => {
    process.env.VOXELSPARK_TEST_RAW = "/data/raw";
  });

  test("paths, ids, subjects, modality and masks", async () => {
    const masks = { anonymization_mask: "masks/anon.nii.gz", anatomy_mask: null };
    const path = write(
      list([image, { ...image, name: "t2", image_path: "t2.nii", associated_masks: masks }]),
    );
    const [t1, t2] = await findCases(path);
    expect(t1).toEqual({
      id: "Coll__ds__s1__x__t1",
      path: "/data/raw/a/t1.nii.gz",
      modality: "T1",
      subject: "Coll__ds__s1",
      masks: undefined,
    });
    expect(t2!.path).toBe(join(dirname(path), "t2.nii"));
    expect(t2!.masks).toEqual({
      anonymization: join(dirname(path), "masks/anon.nii.gz"),
      anatomy: undefined,
    });
  });

  test.each([
    ["no JSON", "{", /not valid JSON/],
    ["an array", [], /must be an object/],
    ["no collection", { datasets: {} }, /collection_name must be a text, found nothing/],
    ["images no list", list({}), /subjects\.s1\.sessions\.x\.images must be an array/],
    ["no path", list([{ ...image, image_path: 3 }]), /images\[0\]\.image_path must be a text, found 3/],
    [
      "unset variable",
      list([{ ...image, image_path: "$NOT_SET_ANYWHERE/a" }]),
      /NOT_SET_ANYWHERE is not set/,
    ],
    ["NUL in a path", list([{ ...image, image_path: "a\0b" }]), /NUL/],
    ["one name twice", list([image, image]), /used twice/],
    ["a name that leaves the folder", list([{ ...image, name: "../../evil" }]), /cannot be file names/],
    ["no images", list([]), /holds no images/],
  ])("%s", async (_name, value, text) => {
    expect((await failure(() => findCases(write(value)))).message).toMatch(text);
  });
});
