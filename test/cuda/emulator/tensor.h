// The instructions of tensor-core kernels, as native/device/cuda_tensor.cuh names them: shuffles, matrix loads and
// products of warps and warpgroups, asynchronous copies, barriers of part of a block, and barriers in shared memory.
//
// An instruction of a whole warp or warpgroup runs when its last lane comes; lanes that come with another instruction
// are a complaint. Asynchronous copies and products take effect at once or as late as the waits of the kernel allow,
// as current_late() says: the first shows memory that is overwritten too early, the second results that are read too
// early. Products of warpgroups complain of registers and of shared memory that changed without a fence. The numbers of
// a product are added in one order, whatever the schedule, and rounded to the nearest, where a device cuts them off.
#pragma once
#include <cstdint>

#include "control.h"

namespace emulator {

enum class Format { bf16, fp16 };
float widen(Format format, uint16_t bits);
uint16_t narrow(Format format, float value);  // to nearest even

// Shared memory by address.
void store_shared(uint32_t address, const void* from, uint32_t bytes);
void load_shared(void* to, uint32_t address, uint32_t bytes);

// Of a warp.
void sync_warp();
uint32_t shuffle_xor(uint32_t value, int mask);
void load_matrices(uint32_t (&fragment)[4], uint32_t address, bool transposed);
void multiply(Format format, float* sums, const uint32_t (&a)[4], uint32_t b0, uint32_t b1);  // m16n8k16

// cp.async; `valid` false: zeros.
void copy_async(uint32_t to, const void* from, bool valid);
void commit_copies();
void wait_copies(int groups);
void arrive_after_copies(uint32_t barrier);  // cp.async.mbarrier.arrive.noinc
// cp.async.bulk, with the arrival that announces it.
void copy_bulk(uint32_t to, const void* from, uint32_t bytes, uint32_t barrier);

// mbarrier.
void barrier_init(uint32_t barrier, uint32_t arrivals);
void barrier_arrive(uint32_t barrier);
void barrier_wait(uint32_t barrier, uint32_t parity);
void named_barrier(int id, int threads);

// wgmma of 64 x columns x 16; the first operand from shared memory, or from registers where `a` is not null.
void group_multiply(Format format, int columns, float* sums, const uint32_t* a, uint64_t a_descriptor,
                    uint64_t b_descriptor);
void begin_products();  // wgmma.fence
void commit_products();
void wait_products(int groups);
void fence_async();  // fence.proxy.async

// Of the emulator: for a new block; completes copies that a kernel in need of them waits for, if there are any.
void reset_instructions(Late late, size_t shared_bytes);
bool finish_late_copies();

}  // namespace emulator
