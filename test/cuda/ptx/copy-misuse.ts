/** What is wrong with tensor-kernels.ts after these edits of what copies and waits, and what says so. */

import { deadlock, type Misuse, meeting, proxyFence, unfenced } from "./product-misuse";
import { A_BYTES, STEP } from "./tensor-kernels";

const told = "	{ .reg .b64 state; mbarrier.arrive.shared.b64 state, [%r2+8]; }\n";

export const copyMisuses: Record<string, Misuse> = {
  "copies that are not waited for": {
    of: "copied",
    found: "	cp.async.wait_group 0;\n",
    planted: "",
    says: /asynchronous copy may still be writing|nothing waits for/,
  },
  "a wait that leaves one group of copies": {
    of: "copied",
    found: "cp.async.wait_group 0",
    planted: "cp.async.wait_group 1",
    says: /asynchronous copy may still be writing|nothing waits for/,
  },
  "copies waited for behind the barrier": {
    of: "copied",
    found: /(\tcp\.async\.wait_group 0;\n)([\s\S]*\tbar\.sync 0;\n)/,
    planted: "$2$1",
    says: /asynchronous copy may still be writing|no barrier orders|without a fence.proxy.async/,
  },
  "copies that are not fenced": { of: "copied", found: proxyFence, planted: "", says: unfenced },
  "a source larger than the copy": {
    of: "copied",
    found: "mov.u32 %r8, 8",
    planted: "mov.u32 %r8, 24",
    says: /from a source of 24/,
  },
  "a source of another size": {
    of: "copied",
    found: "mov.u32 %r8, 8",
    planted: "mov.u32 %r8, 12",
    says: "result",
  },
  "a source beside its place": {
    of: "copied",
    found: "[%rd4], 16, %r8",
    planted: "[%rd4+8], 16, %r8",
    says: /no multiple of 16/,
  },
  "a copy at the end": {
    of: "copied",
    found: "\n	ret;",
    planted: "\n	cp.async.cg.shared.global [%r4+4096], [%rd4], 16;\n	ret;",
    says: /nothing waits for/,
  },

  "an mbarrier that is not made": {
    of: "signalled",
    found: "	mbarrier.init.shared.b64 [%r2], %r31;\n",
    planted: "",
    says: /there is no mbarrier/,
  },
  "an mbarrier used before it may be known": {
    of: "signalled",
    found: meeting,
    planted: "",
    says: /no barrier between its mbarrier.init|there is no mbarrier/,
  },
  "an mbarrier for too many": {
    of: "signalled",
    found: "mov.u32 %r31, 128",
    planted: "mov.u32 %r31, 129",
    says: deadlock,
  },
  "an mbarrier for too few": {
    of: "signalled",
    found: "mov.u32 %r31, 128",
    planted: "mov.u32 %r31, 127",
    says: /no barrier orders|asynchronous copy may still/,
  },
  "an mbarrier for nobody": {
    of: "signalled",
    found: "mov.u32 %r31, 128",
    planted: "mov.u32 %r31, 0",
    says: /with 0 arrivals/,
  },
  "arrivals that count twice": { of: "signalled", found: ".noinc", planted: "", says: deadlock },
  "the parity of the phase before": {
    of: "signalled",
    found: "mov.u32 %r32, 0",
    planted: "mov.u32 %r32, 1",
    says: /asynchronous copy may still be writing|never written/,
  },
  "signalled copies that are not fenced": { of: "signalled", found: proxyFence, planted: "", says: unfenced },
  "an mbarrier that is overwritten": {
    of: "signalled",
    found: meeting,
    planted: `${meeting}	st.shared.b32 [%r2], %r1;\n`,
    says: /an mbarrier lives there/,
  },

  "mbarriers that bulk copies may not know": {
    of: "piped",
    found: "	fence.mbarrier_init.release.cluster;\n",
    planted: "",
    says: /neither fence.mbarrier_init nor/,
  },
  "fewer bytes expected than come": {
    of: "piped",
    found: `mov.u32 %r15, ${STEP}`,
    planted: `mov.u32 %r15, ${STEP - 16}`,
    says: deadlock,
  },
  "more bytes expected than come": {
    of: "piped",
    found: `mov.u32 %r15, ${STEP}`,
    planted: `mov.u32 %r15, ${STEP + 16}`,
    says: deadlock,
  },
  "a bulk copy of odd size": {
    of: "piped",
    found: `mov.u32 %r16, ${A_BYTES}`,
    planted: `mov.u32 %r16, ${A_BYTES - 8}`,
    says: /no multiple of 16/,
  },
  "a bulk copy to nowhere": {
    of: "piped",
    found: "[%r2+1024], [%rd10]",
    planted: "[%r2+7168], [%rd10]",
    says: /the block has/,
  },
  "readers with the wrong parity": {
    of: "piped",
    found: /(\$L_step:\n.*\n)/,
    planted: "$1	xor.b32 %r13, %r13, 1;\n",
    says: /no barrier orders|never written|asynchronous copy/,
  },
  "a writer that does not wait": {
    of: "piped",
    found: /\t\{ \.reg \.pred over;.*\[%r2\+8\].*\n/,
    planted: "",
    says: /in flight|no barrier orders|asynchronous copy|arrivals/,
  },
  "a reader that is done too early": {
    of: "piped",
    found: /(\twgmma\.wait_group\.sync\.aligned 0;\n)([\s\S]*)(\$L_told:\n)/,
    planted: "$2$3$1",
    says: /in flight|no barrier orders/,
  },
  "a phase that is over after one reader": {
    of: "piped",
    found: "mov.u32 %r11, 4",
    planted: "mov.u32 %r11, 1",
    says: /arrivals where 0 are outstanding/,
    when: "late",
  },
  "a bulk copy over what was loaded": {
    of: "piped",
    found: told,
    planted: `	ld.shared.b32 %r40, [%r2+1024];\n${told}`,
    says: /was read in the generic proxy and is written in the asynchronous one/,
  },
  "readers counted twice": {
    of: "piped",
    found: told,
    planted: told + told,
    says: /in flight|no barrier orders|never happens/,
  },
  "a copy that nobody reads": {
    of: "piped",
    found: "%r12, 3;\n	@%p4",
    planted: "%r12, 4;\n	@%p4",
    says: /nobody has waited for|has a transaction count/,
    when: "late",
  },
  "registers that nobody gave": {
    of: "piped",
    found: "setmaxnreg.dec.sync.aligned.u32 40",
    planted: "setmaxnreg.dec.sync.aligned.u32 248",
    says: deadlock,
  },
  "an odd number of registers": {
    of: "piped",
    found: "aligned.u32 40",
    planted: "aligned.u32 44",
    says: /multiples of 8/,
  },
  "registers in the wrong direction": {
    of: "piped",
    found: "setmaxnreg.dec",
    planted: "setmaxnreg.inc",
    says: /wrong direction/,
  },
};
