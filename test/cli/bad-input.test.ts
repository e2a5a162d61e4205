/** Every bad input of a user: an error that names file or field, what was found and what is allowed; nothing is left. */
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { gunzipSync, gzipSync } from "node:zlib";
import { writeNifti } from "../../lib/data/nifti-writer";
import { writePhantoms } from "../../lib/data/phantoms";
import { temporaryFolder } from "../data/temp";
import { leftovers, TINY, tinyCases } from "../fixtures";
import { cli, type Finished, jsonOf, planFile, startWith } from "./cli";

jest.setTimeout(180_000);
const root = temporaryFolder();
const at = (...parts: string[]) => join(root, ...parts);
let plan: string[];

/** Bytes of an uncompressed int16 NIfTI-1 image and where its header keeps things. */
let good: Buffer;
const header = { dim: 40, datatype: 70, bitpix: 72, pixdim: 76, qform: 252, sform: 254, voxels: 352 };

function changed(change: (bytes: Buffer) => Buffer): Buffer {
  const copy = Buffer.from(good);
  return change(copy);
}

beforeAll(async () => {
  plan = planFile(root);
  mkdirSync(at("images"));
  for await (const { image } of writePhantoms(at("heads"), 2, { shape: [16, 18, 20] }))
    copyFileSync(image, at("images", image.split("/").at(-1)!));
  good = gunzipSync(readFileSync(at("images", "phantom-000.nii.gz")));
  mkdirSync(at("cases"));
  await tinyCases(at("cases"));
});

/** name → [content, the message after the path]. */
const images: Record<string, [() => Buffer, RegExp]> = {
  "truncated.nii.gz": [
    () => gzipSync(good).subarray(0, 900),
    /is truncated: the gzip stream does not end within its 900 bytes/,
  ],
  "corrupt.nii.gz": [
    () => {
      const bytes = gzipSync(good);
      for (let i = 200; i < 260; i++) bytes[i]! ^= 0x5a;
      return bytes;
    },
    /is damaged: gzip reports/,
  ],
  "checksum.nii.gz": [
    () => {
      const bytes = gzipSync(good);
      bytes[bytes.length - 6]! ^= 1;
      return bytes;
    },
    /is damaged: gzip reports "incorrect data check"/,
  ],
  "short.nii": [() => good.subarray(0, -100), /is truncated: 11872 bytes expected, found 11772/],
  "4d.nii": [
    () =>
      changed((bytes) => {
        bytes.writeInt16LE(4, header.dim);
        bytes.writeInt16LE(2, header.dim + 8);
        return Buffer.concat([bytes, bytes.subarray(header.voxels)]);
      }),
    /a 4-D image, found shape \(20, 18, 16, 2\); one 3-D volume is needed/,
  ],
  "rgb.nii": [
    () =>
      changed((bytes) => {
        bytes.writeInt16LE(128, header.datatype);
        bytes.writeInt16LE(24, header.bitpix);
        return Buffer.concat([bytes, bytes.subarray(header.voxels)]);
      }),
    /the datatype is 128, RGB24; store one channel/,
  ],
  "spacing.nii": [
    () =>
      changed((bytes) => {
        bytes.writeFloatLE(0, header.pixdim + 8);
        bytes.writeInt16LE(0, header.qform);
        bytes.writeInt16LE(0, header.sform);
        return bytes;
      }),
    /pixdim is \[9\.5, 0, 9\.5\] mm, allowed is 0\.01 to 100 mm/,
  ],
  "zeros.nii": [() => changed((bytes) => bytes.fill(0, header.voxels)), /all 5760 voxels are 0/],
  "text.nii": [() => Buffer.from("no image at all"), /not a NIfTI file: sizeof_hdr is \d+, allowed are 348/],
};

async function writeBadImages(folder: string): Promise<void> {
  mkdirSync(folder);
  for (const [name, [content]] of Object.entries(images)) writeFileSync(join(folder, name), content());
  const data = new Float32Array(1000).map((_, i) => i);
  data[123] = Number.NaN;
  const affine = [1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1];
  await writeNifti(join(folder, "nan.nii.gz"), { data, shape: [10, 10, 10], affine });
}

/** What stderr says is one sentence of ours, never a stack. */
function expectError({ code, stdout, stderr }: Finished, kind: string, message: RegExp): void {
  expect(stderr).toMatch(message);
  expect(stderr).toContain(`[ERR_VOXELSPARK_${kind}]`);
  expect(stderr).not.toMatch(/\n\s+at /);
  expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
}

describe("images", () => {
  test("preprocess names each bad image, does the rest and exits 1", async () => {
    const folder = at("bad");
    await writeBadImages(folder);
    copyFileSync(at("images", "phantom-001.nii.gz"), join(folder, "good.nii.gz"));
    const result = await cli("preprocess", "--data", folder, "--out", at("bad-cases"), ...plan, "--json");
    expect(result.code).toBe(1);
    const told = jsonOf(result);
    expect(told).toMatchObject({ done: 1, current: 0, failed: Object.keys(images).length + 1 });
    expect(readdirSync(at("bad-cases"))).toEqual(["good.zarr"]);
    const wanted: Record<string, RegExp> = {
      ...Object.fromEntries(Object.entries(images).map(([name, [, message]]) => [name, message])),
      "nan.nii.gz": /1 of 1000 voxels are NaN or infinite/,
    };
    for (const { path, code, message } of told.failures) {
      const name = path.split("/").at(-1);
      expect({ name, message }).toEqual({ name, message: expect.stringMatching(wanted[name]!) });
      expect(message).toContain(path);
      expect(code).toMatch(/^ERR_VOXELSPARK_(TRUNCATED|FORMAT|UNSUPPORTED|GEOMETRY|DATA|EMPTY|NON_FINITE)$/);
      expect(result.stderr).toContain(`failed: ${message} [${code}]`);
      delete wanted[name];
    }
    expect(wanted).toEqual({});
  });

  test("NaN voxels are zeroed if asked for", async () => {
    const args = [
      "--data",
      at("bad", "nan.nii.gz"),
      "--out",
      at("nan-cases"),
      ...plan,
      "--non-finite",
      "zero",
    ];
    const { code, stderr } = await cli("preprocess", ...args);
    expect(stderr).toMatch(/warning: .*nan\.nii\.gz/);
    expect(code).toBe(0);
  });

  test("pretrain leaves bad images out and exits 1", async () => {
    const folder = at("mixed");
    mkdirSync(folder);
    for (const name of ["nan.nii.gz", "good.nii.gz"]) copyFileSync(at("bad", name), join(folder, name));
    const { code, stderr } = await cli("pretrain", "--data", folder, "--out", at("mixed-run"), ...plan);
    expect(stderr).toMatch(/cannot be used: .*nan\.nii\.gz/);
    expect(stderr).toMatch(/warning: fewer than two subjects/);
    expect(stderr).toMatch(/finished at step 4/);
    expect(code).toBe(1);
  });

  test("pretrain with nothing but bad images leaves nothing behind", async () => {
    rmSync(at("bad", "good.nii.gz"));
    const result = await cli("pretrain", "--data", at("bad"), "--out", at("bad-run"), ...plan);
    expectError(result, "EMPTY", /none of the 10 images of .*bad can be used/);
    expect(existsSync(at("bad-run"))).toBe(false);
  });

  test.each([
    ["an empty folder", "empty", "EMPTY", /empty holds no images: no \.nii or \.nii\.gz file was found/],
    ["no folder", "nowhere", "IO", /Cannot read .*nowhere.*no such file/],
    ["a file of another kind", "plan.json", "", /plan\.json/],
  ])("%s", async (_, name, kind, message) => {
    mkdirSync(at("empty"), { recursive: true });
    for (const command of ["preprocess", "pretrain"]) {
      const result = await cli(command, "--data", at(name), "--out", at("none"), ...plan);
      expectError(result, kind || "DATA", message);
      expect(existsSync(at("none"))).toBe(false);
    }
  });

  test("reconstruct: a bad image, no checkpoint, a ratio that leaves nothing", async () => {
    const run = at("run");
    expect((await cli("pretrain", "--data", at("cases"), "--out", run, ...plan)).code).toBe(0);
    const image = at("images", "phantom-000.nii.gz");
    const args = (checkpoint: string, file: string) => [
      "reconstruct",
      "--checkpoint",
      checkpoint,
      "--image",
      file,
      "--out",
      at("picture"),
    ];
    const results = await Promise.all([
      cli(...args(run, at("bad", "4d.nii"))),
      cli(...args(at("images"), image)),
      cli(...args(run, image), "--ratio", "1"),
      cli(...args(run, at("missing.nii"))),
    ]);
    expectError(results[0]!, "UNSUPPORTED", /4d\.nii/);
    expectError(results[1]!, "CHECKPOINT", /images: holds no checkpoint/);
    expectError(results[2]!, "RANGE", /mask ratio of 1 over 8 blocks leaves nothing visible/);
    expectError(results[3]!, "IO", /missing\.nii/);
    expect(existsSync(at("picture"))).toBe(false);
  });
});

describe("plans", () => {
  /** JSON of the tiny plan with some fields replaced, unchecked. */
  const file = (name: string, change: object): string => {
    writeFileSync(at(name), JSON.stringify({ ...TINY, ...change }));
    return at(name);
  };

  test.each([
    [
      "a block that does not divide the patch",
      { mask: { block: 6 } },
      /mask\.block must divide the patch \[16, 16, 16\] on every axis, found 6; nearest: 4 and 8/,
    ],
    [
      "a patch that the stride does not divide",
      { patch: [16, 15, 16] },
      /patch\[1\] must be a multiple of the network's total stride 2, found 15; nearest: 14 and 16/,
    ],
    [
      "a ratio that masks nothing",
      { mask: { ratio: 0.1 } },
      /mask\.ratio must mask at least one of the patch's 8 blocks, found 0\.1; smallest ratio: 0\.125/,
    ],
    [
      "a ratio that leaves nothing visible",
      { mask: { ratio: 1 } },
      /mask\.ratio must be a number above 0 and below 1.*found 1/,
    ],
    ["an unknown key", { maskRatio: 0.5 }, /maskRatio/],
    [
      "an unknown key inside",
      { optimizer: { learning_rate: 0.5 } },
      /optimizer\.learning_rate.*learningRate/,
    ],
    ["text for a number", { steps: "many" }, /steps must be a whole number.*found "many"/],
  ])("%s", async (name, change, message) => {
    const path = file(`${name.replaceAll(" ", "-")}.json`, change);
    const out = at("plan-run");
    const result = await cli(
      "pretrain",
      "--data",
      at("cases"),
      "--out",
      out,
      "--preset",
      "tiny",
      "--plan",
      path,
    );
    expectError(result, "PLAN", message);
    expect(result.stderr).toContain(path);
    expect(existsSync(out)).toBe(false);
  });

  test("a plan that is no JSON, a missing one, a wrong option", async () => {
    writeFileSync(at("torn.json"), '{"steps": 3,');
    const start = ["pretrain", "--data", at("cases"), "--out", at("plan-run")];
    const results = await Promise.all([
      cli(...start, "--plan", at("torn.json")),
      cli(...start, "--plan", at("absent.json")),
      cli(...start, "--preset", "tiny", "--patch", "47"),
    ]);
    expectError(results[0]!, "PLAN", /torn\.json.*cannot be read/);
    expectError(results[1]!, "IO", /absent\.json/);
    expectError(
      results[2]!,
      "PLAN",
      /Command line:\s+patch\[0\] must be a multiple of .* 8, found 47; nearest: 40 and 48/,
    );
    expect(existsSync(at("plan-run"))).toBe(false);
  });
});

describe("checkpoints and devices", () => {
  test("--resume without a run makes nothing, not even cases", async () => {
    const out = at("no-run");
    const result = await cli("pretrain", "--data", at("images"), "--out", out, ...plan, "--resume");
    expectError(result, "CHECKPOINT", /no-run: holds no checkpoint \(a folder step-00000000 or later\)/);
    expect(existsSync(out)).toBe(false);
  });

  test("--resume in a foreign folder, of another plan, of a damaged checkpoint; starting where a run is", async () => {
    const foreign = at("foreign");
    mkdirSync(join(foreign, "step-00000007"), { recursive: true });
    writeFileSync(join(foreign, "step-00000007", "state.json"), '{"epoch": 7}');
    const run = at("run");
    const damaged = at("damaged");
    mkdirSync(join(damaged, "step-00000004"), { recursive: true });
    for (const file of readdirSync(join(run, "step-00000004")))
      writeFileSync(
        join(damaged, "step-00000004", file),
        readFileSync(join(run, "step-00000004", file)).subarray(1),
      );
    const start = (out: string, ...more: string[]) =>
      cli("pretrain", "--data", at("cases"), "--out", out, ...plan, ...more);
    const before = readdirSync(run, { recursive: true });
    const results = await Promise.all([
      start(foreign, "--resume"),
      start(damaged, "--resume"),
      start(run, "--resume", "--seed", "9"),
    ]);
    expectError(results[0]!, "CHECKPOINT", /step-00000007.*is not of a voxelspark checkpoint/);
    expectError(results[1]!, "CHECKSUM", /step-00000004/);
    expectError(results[2]!, "PLAN", /seed was 0, is now 9/);
    expectError(
      await start(run),
      "CHECKPOINT",
      /already holds a run up to step 4; resume it, or choose another/,
    );
    expect(readdirSync(run, { recursive: true })).toEqual(before);
    expect(readdirSync(foreign)).toEqual(["step-00000007"]);
  });

  test("--device cuda without one", async () => {
    const info = jsonOf(await cli("info", "--json"));
    if (info.cuda.deviceCount > 0) return; // there is one: test:gpu has its tests
    const out = at("cuda-run");
    const result = await cli("pretrain", "--data", at("images"), "--out", out, ...plan, "--device", "cuda");
    expectError(result, "DEVICE", /device 'cuda' cannot be used: .*; device 'cpu' works/);
    const args = ["pretrain", "--data", at("images"), "--out", out, ...plan];
    const wished = await startWith({ VOXELSPARK_DEVICE: "cuda" }, ...args).finished;
    expectError(wished, "DEVICE", /device 'cuda' cannot be used/);
    expect(existsSync(out)).toBe(false);
  });

  test("--precision bf16 on the CPU", async () => {
    const args = ["--data", at("cases"), "--out", at("bf16-run"), ...plan, "--precision", "bf16"];
    const result = await cli("pretrain", ...args, "--device", "cpu");
    expectError(
      result,
      "DEVICE",
      /precision bf16 needs device 'cuda', the device is 'cpu'; allowed there is fp32/,
    );
    expect(existsSync(at("bf16-run"))).toBe(false);
  });

  test("a folder that cannot be written", async () => {
    const result = await cli(
      "pretrain",
      "--data",
      at("cases"),
      "--out",
      join(at("plan.json"), "run"),
      ...plan,
    );
    expectError(result, "IO", /plan\.json/);
  });
});

afterAll(() => expect(leftovers(root)).toEqual([]));
