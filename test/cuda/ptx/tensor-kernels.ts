/**
 * Kernels with tensor, asynchronous and barrier instructions, written by hand. They have one parameter, the address of a
 * buffer: tiles of A, 64 by 16, and of B, 32 columns by 16 (k), as core matrices of 8 rows by 16 bytes, k first; at
 * OUTPUT what is computed.
 */
export const OUTPUT = 16384;
export const A_BYTES = 64 * 16 * 2;
export const B_BYTES = 32 * 16 * 2;
export const STEP = A_BYTES + B_BYTES;

const list = (name: string, count: number, first = 0) =>
  `{${Array.from({ length: count }, (_, i) => `%${name}${first + i}`).join(", ")}}`;

/** Shared memory: mbarriers from 0 on, A at 1024, B at 3072. %rd2: the buffer, %r1: the thread, %r2: shared memory. */
const entry = (threads: number, body: string) => `.version 9.0
.target sm_90a
.address_size 64

.visible .entry k(
	.param .u64 k_param_0
)
.maxntid ${threads}, 1, 1
{
	.reg .pred %p<8>;
	.reg .b32 %r<64>;
	.reg .f32 %f<64>;
	.reg .b64 %rd<32>;
	.shared .align 1024 .b8 tile[8192];

	ld.param.u64 %rd1, [k_param_0];
	cvta.to.global.u64 %rd2, %rd1;
	mov.u32 %r1, %tid.x;
	mov.u32 %r2, tile;
	shl.b32 %r3, %r1, 4;
	cvt.u64.u32 %rd3, %r3;
	add.s64 %rd4, %rd2, %rd3;
	add.s32 %r4, %r2, %r3;
${body}
	ret;

}
`;

const offsets = (leading: number, stride: number) =>
  (BigInt(stride / 16) << 32n) | BigInt((leading / 16) << 16);
/** %rd5: of A, %rd6: of B. */
const descriptors = `	add.s32 %r5, %r2, 1024;
	shr.u32 %r5, %r5, 4;
	cvt.u64.u32 %rd5, %r5;
	or.b64 %rd5, %rd5, ${offsets(128, 256)};
	add.s32 %r6, %r2, 3072;
	shr.u32 %r6, %r6, 4;
	cvt.u64.u32 %rd6, %r6;
	or.b64 %rd6, %rd6, ${offsets(128, 256)};
`;
const zeros = Array.from({ length: 16 }, (_, i) => `	mov.f32 %f${i}, 0f00000000;\n`).join("");
const mma = (a: string, flags: string) =>
  `	wgmma.mma_async.sync.aligned.m64n32k16.f32.bf16.bf16 ${list("f", 16)}, ${a}, %rd6, ${flags};\n`;
const product = `	wgmma.fence.sync.aligned;
${mma("%rd5", "1, 1, 1, 0, 0")}	wgmma.commit_group.sync.aligned;
	wgmma.wait_group.sync.aligned 0;
`;
/** The accumulators of thread t at OUTPUT + 64 t. */
const results = `	shl.b32 %r7, %r1, 6;
	cvt.u64.u32 %rd7, %r7;
	add.s64 %rd8, %rd2, %rd7;
${[0, 4, 8, 12].map((i) => `	st.global.v4.f32 [%rd8+${OUTPUT + 4 * i}], ${list("f", 4, i)};\n`).join("")}`;

/** Tiles to shared memory, 16 bytes a thread; those of B by the first threads. */
const tiles = (threadsOfB: number) => `	ld.global.v4.u32 ${list("r", 4, 10)}, [%rd4];
	st.shared.v4.b32 [%r4+1024], ${list("r", 4, 10)};
	setp.lt.s32 %p1, %r1, ${threadsOfB};
	@%p1 ld.global.v4.u32 ${list("r", 4, 14)}, [%rd4+${A_BYTES}];
	@%p1 st.shared.v4.b32 [%r4+3072], ${list("r", 4, 14)};
`;
/** A's fragments by ldmatrix: each warp has 16 rows, its lanes the rows of its four core matrices. */
const fragments = `	and.b32 %r20, %r1, 7;
	shl.b32 %r21, %r20, 4;
	shr.u32 %r22, %r1, 3;
	and.b32 %r23, %r22, 1;
	shl.b32 %r24, %r23, 8;
	shr.u32 %r25, %r1, 4;
	and.b32 %r26, %r25, 1;
	shl.b32 %r27, %r26, 7;
	shr.u32 %r28, %r1, 5;
	shl.b32 %r29, %r28, 9;
	add.s32 %r30, %r21, %r24;
	add.s32 %r30, %r30, %r27;
	add.s32 %r30, %r30, %r29;
	add.s32 %r30, %r30, %r2;
	ldmatrix.sync.aligned.m8n8.x4.shared.b16 ${list("r", 4, 32)}, [%r30+1024];
`;

/** One warpgroup stores its tiles and multiplies them. */
export const stored = entry(
  128,
  `${tiles(64)}	fence.proxy.async.shared::cta;
	bar.sync 0;
${descriptors}${zeros}${product}${results}`,
);

/** The same with A in registers. */
export const registers = entry(
  128,
  `${tiles(64)}	fence.proxy.async.shared::cta;
	bar.sync 0;
${fragments}${descriptors}${zeros}	wgmma.fence.sync.aligned;
${mma(list("r", 4, 32), "1, 1, 1, 0")}	wgmma.commit_group.sync.aligned;
	wgmma.wait_group.sync.aligned 0;
${results}`,
);

/** Copies of the threads themselves, waited for by each; the last 8 bytes of every piece of A are zeros. */
export const copied = entry(
  128,
  `	mov.u32 %r8, 8;
	add.s32 %r9, %r4, 1024;
	cp.async.cg.shared.global.L2::128B [%r9], [%rd4], 16, %r8;
	cp.async.commit_group;
	setp.lt.s32 %p1, %r1, 64;
	@%p1 cp.async.cg.shared.global [%r4+3072], [%rd4+${A_BYTES}], 16;
	cp.async.commit_group;
	cp.async.wait_group 0;
	fence.proxy.async.shared::cta;
	bar.sync 0;
${descriptors}${zeros}${product}${results}`,
);

/** Copies of the threads themselves, waited for through an mbarrier. */
export const signalled = entry(
  128,
  `	setp.ne.s32 %p2, %r1, 0;
	mov.u32 %r31, 128;
	@%p2 bra $L_made;
	mbarrier.init.shared.b64 [%r2], %r31;
$L_made:
	bar.sync 0;
	mov.u32 %r8, 16;
	cp.async.cg.shared.global.L2::128B [%r4+1024], [%rd4], 16, %r8;
	setp.lt.s32 %p1, %r1, 64;
	@%p1 cp.async.cg.shared.global.L2::128B [%r4+3072], [%rd4+${A_BYTES}], 16, %r8;
	cp.async.mbarrier.arrive.noinc.shared.b64 [%r2];
	mov.u32 %r32, 0;
	{ .reg .pred over; AGAIN: mbarrier.try_wait.parity.shared.b64 over, [%r2], %r32; @over bra OVER; bra AGAIN; OVER: }
	fence.proxy.async.shared::cta;
${descriptors}${zeros}${product}${results}`,
);

/**
 * A warpgroup that copies and one that multiplies, three steps of k through one buffer: `full` at 0 and `empty` at 8.
 * Copies are bulk copies, one thread's; each warp of the other says when it has read a step.
 */
export const piped = entry(
  256,
  `	setp.ne.s32 %p1, %r1, 0;
	@%p1 bra $L_made;
	mov.u32 %r10, 1;
	mbarrier.init.shared.b64 [%r2], %r10;
	mov.u32 %r11, 4;
	mbarrier.init.shared.b64 [%r2+8], %r11;
	fence.mbarrier_init.release.cluster;
$L_made:
	bar.sync 0;
	mov.u32 %r12, 0;
	setp.lt.s32 %p2, %r1, 128;
	@%p2 bra $L_multiply;
	setmaxnreg.dec.sync.aligned.u32 40;
	setp.ne.s32 %p3, %r1, 128;
	@%p3 bra $L_end;
	mov.u64 %rd10, %rd2;
$L_copy:
	and.b32 %r13, %r12, 1;
	xor.b32 %r14, %r13, 1;
	{ .reg .pred over; AGAIN: mbarrier.try_wait.parity.shared.b64 over, [%r2+8], %r14; @over bra OVER; bra AGAIN; OVER: }
	mov.u32 %r15, ${STEP};
	{ .reg .b64 state; mbarrier.arrive.expect_tx.shared.b64 state, [%r2], %r15; }
	mov.u32 %r16, ${A_BYTES};
	cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes [%r2+1024], [%rd10], %r16, [%r2];
	mov.u32 %r17, ${B_BYTES};
	cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes [%r2+3072], [%rd10+${A_BYTES}], %r17, [%r2];
	add.s64 %rd10, %rd10, ${STEP};
	add.s32 %r12, %r12, 1;
	setp.ne.s32 %p4, %r12, 3;
	@%p4 bra $L_copy;
	bra.uni $L_end;
$L_multiply:
	setmaxnreg.inc.sync.aligned.u32 256;
${descriptors}${zeros}$L_step:
	and.b32 %r13, %r12, 1;
	{ .reg .pred over; AGAIN: mbarrier.try_wait.parity.shared.b64 over, [%r2], %r13; @over bra OVER; bra AGAIN; OVER: }
${product}	and.b32 %r18, %r1, 31;
	setp.ne.s32 %p5, %r18, 0;
	@%p5 bra $L_told;
	{ .reg .b64 state; mbarrier.arrive.shared.b64 state, [%r2+8]; }
$L_told:
	add.s32 %r12, %r12, 1;
	setp.ne.s32 %p6, %r12, 3;
	@%p6 bra $L_step;
${results}$L_end:`,
);

/** One warp: 16 rows of A and 8 columns of B by ldmatrix and mma, A transposed twice on its way if `twice`. */
export const warp = entry(
  32,
  `${tiles(16)}	bar.sync 0;
${fragments}	and.b32 %r40, %r1, 15;
	shl.b32 %r41, %r40, 4;
	add.s32 %r42, %r41, %r2;
	ldmatrix.sync.aligned.m8n8.x2.shared.b16 ${list("r", 2, 44)}, [%r42+3072];
${zeros}	mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 ${list("f", 4)}, ${list("r", 4, 32)}, ${list("r", 2, 44)}, ${list("f", 4)};
${results}`,
);
