/** Bugs of synchronisation, planted in the PTX of the convolutions on tensor cores, are found by name. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { convolve, type Ended, type Form, runScript } from "./convolve";

const plantings = mkdtempSync(join(tmpdir(), "voxelspark-plants-"));
afterAll(() => rmSync(plantings, { recursive: true, force: true }));

const halo = "halo, exact";
const gathered = "group, 256 columns, kernel 1, more steps than buffers";

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

/** The environment in which the machine edits what it reads. */
function planting(found: string, planted: string): NodeJS.ProcessEnv {
  const folder = mkdtempSync(join(plantings, "edit-"));
  writeFileSync(join(folder, "edit"), `${found}\n${planted}\n`);
  const seed = process.env.VOXELSPARK_TEST_SEED ?? "1"; // no other values from run to run
  return { VOXELSPARK_PTX_EDIT: join(folder, "edit"), VOXELSPARK_TEST_SEED: seed };
}

test.each(plants)("%s, %s: %s -> %s", async (name, form, found, planted, says) => {
  const ended = await convolve(form, [name], planting(found, planted));
  expect(ended).toEqual({ status: 3, said: expect.stringMatching(says) });
});

const wrong = /relative error|other bits/;
/** Bugs of what is computed and where: by op record or case. */
const slips: [
  what: string,
  run: (env: NodeJS.ProcessEnv) => Promise<Ended>,
  found: string,
  planted: string,
  says: RegExp,
][] = [
  [
    "halves that are exchanged",
    (env) => runScript("one-op.ts", ["add", "bfloat16"], env),
    "/cvt\\.rn\\.bf16\\.f32 (%rs\\d+), (%f\\d+)",
    "cvt.rn.bf16.f32 $1, 0f3F800000",
    wrong,
  ],
  [
    "a pair that is packed the other way round",
    (env) => convolve("off", [halo], env),
    "/cvt\\.rn\\.bf16x2\\.f32 (%r\\d+), (%f\\d+), (%f\\d+)",
    "cvt.rn.bf16x2.f32 $1, $3, $2",
    wrong,
  ],
  [
    "exchanged operands of mma",
    (env) => convolve("off", [halo], env),
    "/(mma\\.sync[^{]*\\{[^}]*\\}, \\{)(%r\\d+), (%r\\d+),",
    "$1$3, $2,",
    wrong,
  ],
  [
    "matrices that are not transposed",
    (env) => convolve("off", [halo], env),
    "ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16",
    "ldmatrix.sync.aligned.m8n8.x4.shared.b16",
    wrong,
  ],
  [
    "vectors that are not aligned",
    (env) => runScript("one-op.ts", ["add"], env),
    "/ld\\.global\\.v4\\.f32\\s+(\\{[^}]*\\}), \\[(%rd\\d+)\\]",
    "ld.global.v4.f32 $1, [$2+4]",
    /16 bytes of global memory are read at 0x\w+, which is not a multiple of 16/,
  ],
  [
    "a store one element too far",
    (env) => runScript("one-op.ts", ["leaky-relu"], env),
    "/st\\.global\\.f32\\s+\\[(%rd\\d+)\\]",
    "st.global.f32 [$1+512]",
    /bytes of global memory are written at|relative error/,
  ],
  [
    "a barrier that is missing",
    (env) => runScript("one-op.ts", ["masked-norm"], env),
    "/bar\\.sync\\s+0;",
    "",
    /no barrier orders|nothing was written|written in step|was written by warp|is read by warp/,
  ],
  [
    "bounds of fewer threads",
    (env) => runScript("one-op.ts", ["masked-norm"], env),
    ".maxntid 256",
    ".maxntid 128",
    /threads, allowed are 128/,
  ],
];
test.each(slips)("%s", async (_, run, found, planted, says) => {
  const ended = await run(planting(found, planted));
  expect(ended).toEqual({ status: 3, said: expect.stringMatching(says) });
});

test("shared memory of a launch that is one row short", async () => {
  const { build, replaced } = require("./build.cjs");
  const file = "native/ops/conv3d/cuda_halo_conv.cu";
  const edit = replaced("kHaloThreads, Shape64::kAll, conv", "kHaloThreads, Shape64::kAll - 16, conv");
  const library = await build("short", { [file]: edit });
  expect(await convolve("off", [halo], { VOXELSPARK_CUDA_LIBRARY: library })).toEqual({
    status: 3,
    said: expect.stringMatching(/bytes of shared memory are (read|written) at 0x\w+, but the block has/),
  });
});
