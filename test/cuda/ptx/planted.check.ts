/** Bugs of synchronisation, planted in the PTX of the convolutions on tensor cores, are found by name. */
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";

const folder = mkdtempSync(join(tmpdir(), "voxelspark-plants-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const halo = "halo, exact";
const gathered = "group, 256 columns, kernel 1, more steps than buffers";
type Form = "off" | "shared" | "registers";

/** What is found in the PTX, what takes its place, and the machine's sentence. */
const plants: [name: string, form: Form, found: string, planted: string, says: RegExp][] = [
  [halo, "shared", "fence.proxy.async.shared::cta;", "", /generic proxy and is read by wgmma without/],
  [gathered, "shared", "fence.proxy.async.shared::cta;", "", /generic proxy and is read by wgmma without/],
  [halo, "shared", "wgmma.fence.sync.aligned;", "", /no wgmma.fence before the first wgmma/],
  [halo, "registers", "wgmma.fence.sync.aligned;", "", /no wgmma.fence before the first wgmma/],
  [halo, "shared", "wgmma.wait_group.sync.aligned 0;", "wgmma.wait_group.sync.aligned 1;", /wgmma in flight/],
  [
    halo,
    "registers",
    "wgmma.wait_group.sync.aligned 1;",
    "wgmma.wait_group.sync.aligned 7;",
    /wgmma in flight/,
  ],
  [
    gathered,
    "shared",
    "wgmma.wait_group.sync.aligned 0;",
    "wgmma.wait_group.sync.aligned 1;",
    /in flight has it/,
  ],
  [
    gathered,
    "shared",
    "wgmma.wait_group.sync.aligned 1;",
    "wgmma.wait_group.sync.aligned 2;",
    /wgmma in flight/,
  ],
  [
    gathered,
    "shared",
    "cp.async.wait_group 2;",
    "cp.async.wait_group 3;",
    /no barrier orders|may still be writing/,
  ],
  [gathered, "shared", "fence.mbarrier_init.release.cluster;", "", /neither fence.mbarrier_init/],
  [
    halo,
    "off",
    "cp.async.mbarrier.arrive.noinc.shared.b64",
    "cp.async.mbarrier.arrive.shared.b64",
    /what never happens/,
  ],
  [
    halo,
    "shared",
    "setmaxnreg.dec.sync.aligned.u32",
    "setmaxnreg.dec.sync.aligned.u32 128; //",
    /what never happens/,
  ],
];

test.each(plants)("%s, %s: %s -> %s", (name, form, found, planted, says) => {
  const edit = join(folder, "edit");
  writeFileSync(edit, `${found}\n${planted}\n`);
  const script = join(__dirname, "../one-tensor.ts");
  const { status, stdout } = spawnSync(
    process.execPath,
    ["-r", require.resolve("tsx/cjs"), script, "90", name],
    {
      cwd: resolve(__dirname, "../../.."),
      encoding: "utf8",
      env: { ...process.env, VOXELSPARK_CUDA_WGMMA: form, VOXELSPARK_PTX_EDIT: edit },
    },
  );
  expect({ status, stdout }).toEqual({ status: 3, stdout: expect.stringMatching(says) });
});
