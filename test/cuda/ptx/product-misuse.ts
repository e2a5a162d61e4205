/** What is wrong with tensor-kernels.ts after these edits, and what says so: a sentence, or the result. */
export interface Misuse {
  of: string;
  found: string | RegExp;
  planted: string;
  /** "result": the product is not the one that was wanted. */
  says: RegExp | "result";
  when?: "late";
}

export const deadlock = /wait for what never happens/;
export const unfenced = /in the generic proxy and is read by wgmma without a fence.proxy.async/;
const inFlight = /a register is used while wgmma in flight has it/;
export const proxyFence = "	fence.proxy.async.shared::cta;\n";
const wgmmaFence = "	wgmma.fence.sync.aligned;\n";
const commit = "	wgmma.commit_group.sync.aligned;\n";
const waited = "	wgmma.wait_group.sync.aligned 0;\n";
export const meeting = "	bar.sync 0;\n";

export const productMisuses: Record<string, Misuse> = {
  "tiles that are not fenced": { of: "stored", found: proxyFence, planted: "", says: unfenced },
  "a fence before the stores": {
    of: "stored",
    found: /(\tld\.global[\s\S]*)(\tfence\.proxy.*\n)/,
    planted: "$2$1",
    says: unfenced,
  },
  "no barrier behind the stores": {
    of: "stored",
    found: meeting,
    planted: "",
    says: /no barrier orders the two|never written/,
  },
  "offsets swapped": {
    of: "stored",
    found: "or.b64 %rd5, %rd5, 68720001024",
    planted: "or.b64 %rd5, %rd5, 34360786944",
    says: "result",
  },
  "a stride too large": {
    of: "stored",
    found: "or.b64 %rd6, %rd6, 68720001024",
    planted: "or.b64 %rd6, %rd6, 4398047035392",
    says: /beyond shared memory|never written/,
  },
  "addresses that are not shifted": {
    of: "stored",
    found: "shr.u32 %r5, %r5, 4",
    planted: "shr.u32 %r5, %r5, 0",
    says: /reserved|beyond shared/,
  },
  "a swizzle that the tile has not": {
    of: "stored",
    found: "or.b64 %rd5, %rd5, 68720001024",
    planted: "or.b64 %rd5, %rd5, 4611686087147388928",
    says: "result",
  },
  "a base offset": {
    of: "stored",
    found: "or.b64 %rd5, %rd5, 68720001024",
    planted: "or.b64 %rd5, %rd5, 563018673422336",
    says: /base offset/,
  },
  "no wgmma.fence": { of: "stored", found: wgmmaFence, planted: "", says: /no wgmma.fence before the first/ },
  "an accumulator set behind the fence": {
    of: "stored",
    found: wgmmaFence,
    planted: `${wgmmaFence}	mov.f32 %f3, 0f00000000;\n`,
    says: /no wgmma.fence followed/,
  },
  "results that are not waited for": { of: "stored", found: waited, planted: "", says: inFlight },
  "a wait that leaves one group": {
    of: "stored",
    found: waited,
    planted: waited.replace("0", "1"),
    says: inFlight,
  },
  "products that are not committed": { of: "stored", found: commit, planted: "", says: inFlight },
  "a warp that does not take part": {
    of: "stored",
    found: wgmmaFence,
    planted: `	setp.gt.s32 %p7, %r1, 95;\n	@%p7 ret;\n${wgmmaFence}`,
    says: deadlock,
  },
  "descriptors that differ": {
    of: "stored",
    found: wgmmaFence,
    planted: `	shr.u32 %r40, %r1, 5;\n	cvt.u64.u32 %rd20, %r40;\n	add.s64 %rd5, %rd5, %rd20;\n${wgmmaFence}`,
    says: /different descriptors|never written/,
  },
  "a tile written before the wait": {
    of: "stored",
    found: waited,
    planted: `	st.shared.b32 [%r4+1024], %r1;\n${waited}`,
    says: /written while a wgmma in flight/,
  },
  "a warp that ends in between": {
    of: "stored",
    found: waited,
    planted: `	ret;\n${waited}`,
    says: /ends with wgmma in flight/,
  },

  "a fragment of A set behind the fence": {
    of: "registers",
    found: wgmmaFence,
    planted: `${wgmmaFence}	mov.b32 %r33, %r1;\n`,
    says: /no wgmma.fence followed/,
  },
  "a fragment of A set before the wait": {
    of: "registers",
    found: commit,
    planted: `${commit}	mov.b32 %r33, %r1;\n`,
    says: inFlight,
  },
  "rows of ldmatrix beside their place": {
    of: "registers",
    found: "[%r30+1024]",
    planted: "[%r30+1032]",
    says: /not a multiple of 16/,
  },

  "rows where columns are meant": {
    of: "warp",
    found: "x4.shared",
    planted: "x4.trans.shared",
    says: "result",
  },
  "lanes that do not meet": {
    of: "warp",
    found: meeting,
    planted: "",
    says: /no bar.warp.sync is in between/,
  },
  "a part of a warp": { of: "warp", found: "	mma.sync", planted: "	@%p1 mma.sync", says: /do not execute/ },
};
