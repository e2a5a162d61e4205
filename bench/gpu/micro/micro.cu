// What only hardware can tell of the instructions that the tensor-core kernels are built on: how wgmma reads matrices
// without swizzle at addresses that tap shifts leave, ldmatrix on the same tile, asynchronous copies, and what a
// shifted read costs. Prints a JSON object a line; bench/gpu/stages/micro.ts builds, runs and reads it.
//
// The tile: planes of 8 channels (16 bytes a voxel), `kPitch` voxels a plane, 10 voxels a row. A tap shifts the start.
#include <cuda_runtime.h>

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <random>
#include <string>
#include <vector>

#include "instructions.cuh"

namespace {

using namespace micro;

constexpr int kRow = 10, kPitch = 602, kPlanes = 8;                 // of the tile: voxels a row, voxels a plane, planes
constexpr int kTileBytes = kPlanes * kPitch * 16;                   // where B starts
constexpr int kBytes = kTileBytes + 16 * 1024;                      // of the whole image
constexpr int kM = 64, kN = 32, kK = 16, kWarp = 32, kGroup = 128;  // of a wgmma

void must(cudaError_t status, const char* what) {
  if (status == cudaSuccess) return;
  std::printf("{\"fatal\": \"%s: %s\"}\n", what, cudaGetErrorString(status));
  std::exit(2);
}

void say(const std::string& what, bool ok, const std::string& found) {
  std::printf("{\"what\": \"%s\", \"ok\": %s, \"says\": \"%s\"}\n", what.c_str(), ok ? "true" : "false", found.c_str());
  std::fflush(stdout);
}

float widened(uint16_t bits) {
  const uint32_t word = static_cast<uint32_t>(bits) << 16;
  float value;
  std::memcpy(&value, &word, 4);
  return value;
}

// Shared memory as the host knows it: small whole numbers in bfloat16, so that every sum is exact.
struct Image {
  std::vector<uint16_t> values;
  Image() : values(kBytes / 2) {
    std::mt19937 random(std::random_device{}());
    for (uint16_t& v : values) {
      const float number = static_cast<float>(static_cast<int>(random() % 9) - 4);
      uint32_t word;
      std::memcpy(&word, &number, 4);
      v = static_cast<uint16_t>(word >> 16);
    }
  }
  float at(int byte) const { return widened(values[byte / 2]); }
};

template <class T>
struct Device {
  T* data;
  size_t count;
  explicit Device(size_t count) : count(count) {
    must(cudaMalloc(&data, count * sizeof(T)), "cudaMalloc");
    must(cudaMemset(data, 0xFF, count * sizeof(T)), "cudaMemset");  // NaN: what nobody writes is seen
  }
  ~Device() { cudaFree(data); }
  Device(const Device&) = delete;
  Device& operator=(const Device&) = delete;
  std::vector<T> host() const {
    std::vector<T> copy(count);
    must(cudaMemcpy(copy.data(), data, count * sizeof(T), cudaMemcpyDeviceToHost), "a kernel");
    return copy;
  }
};

extern __shared__ __align__(1024) unsigned char memory[];

__device__ uint32_t shared_address() { return static_cast<uint32_t>(__cvta_generic_to_shared(memory)); }

__device__ void fill(const uint4* image) {
  for (int i = threadIdx.x; i < kBytes / 16; i += blockDim.x) reinterpret_cast<uint4*>(memory)[i] = image[i];
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 900
  fence_async();
#endif
  __syncthreads();
}

// Matrix i of the four that ldmatrix loads, as this lane addresses it: row group i % 2, chunk i / 2 of a 16 × 16 block.
__device__ uint32_t voxel_rows(uint32_t start, int row_bytes, int plane_bytes) {
  const int lane = threadIdx.x % kWarp, matrix = lane / 8;
  return start + matrix % 2 * row_bytes + matrix / 2 * plane_bytes + lane % 8 * 16;
}

// D (16 × 8) = A (two rows of 8 voxels × 16 channels) · B (16 × 8, as [channel chunk][n][8]), or with A transposed:
// 16 channels × two rows of 8 voxels, then B is [voxel chunk][n][8].
__global__ void mma_kernel(const uint4* image, int shift, bool transposed, float* out) {
  fill(image);
  const uint32_t start = shared_address() + shift, b = shared_address() + kTileBytes;
  uint32_t a[4], weights[4];
  if (transposed) ldmatrix_transposed(a, voxel_rows(start, kPitch * 16, kRow * 16));
  else ldmatrix(a, voxel_rows(start, kRow * 16, kPitch * 16));
  ldmatrix(weights, voxel_rows(b, 128, 0));
  float sums[4] = {};
  mma(sums, a, weights[0], weights[1]);
  const int lane = threadIdx.x;
  for (int i = 0; i < 4; i++) out[(lane / 4 + i / 2 * 8) * 8 + lane % 4 * 2 + i % 2] = sums[i];
}

enum Operands { kBothShared, kRegisters, kContiguousVoxels };

// D (64 × 32) by one warpgroup.
__global__ void wgmma_kernel(const uint4* image, Operands kind, int shift, uint64_t a_strides, uint64_t b_strides,
                             float* out) {
#if defined(__CUDA_ARCH_FEAT_SM90_ALL)
  fill(image);
  const uint64_t a = a_strides | (shared_address() + shift) >> 4, b = b_strides | (shared_address() + kTileBytes) >> 4;
  float sums[16] = {};
  uint32_t rows[4];
  const int warp = threadIdx.x / kWarp, lane = threadIdx.x % kWarp;
  // A warp has 16 rows of A: two rows of 8 voxels.
  ldmatrix(rows, voxel_rows(shared_address() + shift + warp * 2 * kRow * 16, kRow * 16, kPitch * 16));
  wgmma_fence();
  if (kind == kBothShared) wgmma_32<0, 0>(sums, a, b);
  else if (kind == kRegisters) wgmma_32(sums, rows, b);
  else wgmma_32<1, 1>(sums, a, b);
  wgmma_commit();
  wgmma_wait<0>();
  for (int i = 0; i < 16; i++)
    out[(warp * 16 + lane / 4 + i / 2 % 2 * 8) * kN + i / 4 * 8 + lane % 4 * 2 + i % 2] = sums[i];
#endif
}

// Rounds of bulk copies through a ring of two buffers, each guarded by a barrier whose phase flips.
__global__ void bulk_kernel(const unsigned char* from, int rounds, int bytes, unsigned char* to) {
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 900
  __shared__ __align__(8) uint64_t barriers[2];
  uint32_t barrier[2];
  for (int i = 0; i < 2; i++) barrier[i] = static_cast<uint32_t>(__cvta_generic_to_shared(&barriers[i]));
  if (threadIdx.x == 0) {
    for (int i = 0; i < 2; i++) barrier_init(barrier[i], 1);
    barrier_fence();
  }
  __syncthreads();
  for (int round = 0; round < rounds; round++) {
    const int slot = round % 2;
    if (threadIdx.x == 0)
      bulk_copy(shared_address() + slot * bytes, from + static_cast<size_t>(round) * bytes, bytes, barrier[slot]);
    barrier_wait(barrier[slot], round / 2 % 2);
    for (int i = threadIdx.x; i < bytes; i += blockDim.x)
      to[static_cast<size_t>(round) * bytes + i] = memory[slot * bytes + i];
    fence_async();  // what is read here is overwritten by the copy after the next
    __syncthreads();
  }
#endif
}

__global__ void copy_kernel(const uint4* from, uint4* to, int count) {
  const int i = threadIdx.x;
  reinterpret_cast<uint4*>(memory)[i] = make_uint4(~0u, ~0u, ~0u, ~0u);
  __syncthreads();
  copy_async(shared_address() + i * 16, from + i, i < count);
  wait_copies();
  __syncthreads();
  to[i] = reinterpret_cast<uint4*>(memory)[i];
}

// start + a product of three quarters of the last bit of 1: which of the two neighbours a tensor core's sum becomes.
__global__ void rounding_kernel(float start, float sign, float* out) {
  const bool first = threadIdx.x % 4 == 0;                                      // lanes that hold k = 0
  const uint32_t a[4] = {first ? (sign < 0 ? 0xB9C0u : 0x39C0u) : 0, 0, 0, 0};  // 1.5 * 2^-12
  float sums[4] = {start, start, start, start};
  mma(sums, a, first ? 0x3980u : 0, 0);  // 2^-12
  if (threadIdx.x == 0) *out = sums[0];
}

constexpr int kTimed = 64, kTiles = 4;

// Cycles of a long row of wgmmas by two warpgroups.
template <int kColumns>
__global__ void cycles_kernel(const uint4* image, int shift, uint64_t a_strides, uint64_t b_strides, long long* cycles,
                              float* out) {
#if defined(__CUDA_ARCH_FEAT_SM90_ALL)
  fill(image);
  float sums[kTiles][kColumns / 2] = {};
  const uint64_t a = a_strides | (shared_address() + shift + threadIdx.x / kGroup * 8192) >> 4;
  const uint64_t b = b_strides | (shared_address() + kTileBytes) >> 4;
  __syncthreads();
  const long long began = clock64();
  for (int round = 0; round < kTimed; round++) {
    wgmma_fence();
#pragma unroll
    for (int t = 0; t < kTiles; t++) {
      if constexpr (kColumns == 32) wgmma_32<0, 0>(sums[t], a + t * kRow, b);
      else wgmma_64(sums[t], a + t * kRow, b);
    }
    wgmma_commit();
    wgmma_wait<1>();
  }
  wgmma_wait<0>();
  if (threadIdx.x == 0) *cycles = clock64() - began;
  float total = 0;
#pragma unroll
  for (int t = 0; t < kTiles; t++)
#pragma unroll
    for (int i = 0; i < kColumns / 2; i++) total += sums[t][i];
  out[threadIdx.x] = total;  // or nothing above would have to run
#endif
}

// Where element (line, k) of an operand lies: lines in groups of 8, the sum in chunks of 8.
using Place = std::function<int(int line, int k)>;
Place k_major(int start, int group, int chunk) {
  return [=](int line, int k) { return start + line % 8 * 16 + line / 8 * group + k / 8 * chunk + k % 8 * 2; };
}
Place line_major(int start, int group, int chunk) {
  return [=](int line, int k) { return start + line % 8 * 2 + line / 8 * group + k / 8 * chunk + k % 8 * 16; };
}

bool equal(const Image& image, const std::vector<float>& found, int rows, int columns, const Place& a, const Place& b) {
  for (int m = 0; m < rows; m++)
    for (int n = 0; n < columns; n++) {
      float sum = 0;
      for (int k = 0; k < kK; k++) sum += image.at(a(m, k)) * image.at(b(n, k));
      if (!(found[m * columns + n] == sum)) return false;
    }
  return true;
}

uint64_t strides(int leading, int stride) {
  return static_cast<uint64_t>(leading >> 4) << 16 | static_cast<uint64_t>(stride >> 4) << 32;
}

class Tests {
 public:
  Tests() : device_image_(kBytes / 16) {
    must(cudaMemcpy(device_image_.data, image_.values.data(), kBytes, cudaMemcpyHostToDevice), "a copy");
    for (const void* kernel : {(const void*)mma_kernel, (const void*)wgmma_kernel, (const void*)cycles_kernel<32>,
                               (const void*)cycles_kernel<64>})
      must(cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, kBytes), "shared memory");
  }

  void mma_shifts() {
    for (const bool transposed : {false, true}) {
      std::string wrong;
      for (int shift = 0; shift < 32; shift++) {
        Device<float> out(16 * 8);
        mma_kernel<<<1, kWarp, kBytes>>>(device_image_.data, shift * 16, transposed, out.data);
        const Place a =
            transposed ? line_major(shift * 16, kPitch * 16, kRow * 16) : k_major(shift * 16, kRow * 16, kPitch * 16);
        if (!equal(image_, out.host(), 16, 8, a, k_major(kTileBytes, 0, 128))) wrong += " " + std::to_string(shift);
      }
      say(std::string("ldmatrix") + (transposed ? ".trans" : "") + " and mma.sync at 32 shifts", wrong.empty(),
          wrong.empty() ? "exact" : "wrong at shifts of" + wrong + " voxels");
    }
  }

  // K-major without swizzle: groups of 8 rows are one volume row apart, chunks one plane.
  void wgmma_shifts(Operands kind, const char* name) {
    const bool voxels = kind == kContiguousVoxels;
    const int group = voxels ? kPitch * 16 : kRow * 16, chunk = voxels ? kRow * 16 : kPitch * 16;
    const int b_group = voxels ? 256 : 128, b_chunk = voxels ? 128 : kN * 16;
    const auto place = voxels ? line_major : k_major;
    const Place b = place(kTileBytes, b_group, b_chunk), b_swapped = place(kTileBytes, b_chunk, b_group);
    std::string wrong, swapped;
    for (int shift = 0; shift < 32; shift++) {
      Device<float> out(kM * kN);
      wgmma_kernel<<<1, kGroup, kBytes>>>(device_image_.data, kind, shift * 16, strides(chunk, group),
                                          strides(b_chunk, b_group), out.data);
      const std::vector<float> found = out.host();
      if (equal(image_, found, kM, kN, place(shift * 16, group, chunk), b)) continue;
      wrong += " " + std::to_string(shift);
      // Which operand is read with the roles of the two strides exchanged.
      const bool a_other = kind != kRegisters && equal(image_, found, kM, kN, place(shift * 16, chunk, group), b);
      const bool b_other = equal(image_, found, kM, kN, place(shift * 16, group, chunk), b_swapped);
      const bool both = equal(image_, found, kM, kN, place(shift * 16, chunk, group), b_swapped);
      swapped = a_other   ? "; A's strides are exchanged"
                : b_other ? "; B's strides are exchanged"
                : both    ? "; both operands' strides are exchanged"
                          : "";
    }
    say(name, wrong.empty(), wrong.empty() ? "exact" : "wrong at shifts of" + wrong + " voxels" + swapped);
  }

  void bulk_copies() {
    const int rounds = 7, bytes = 4096;
    Device<unsigned char> to(rounds * bytes);
    bulk_kernel<<<1, kGroup, 2 * bytes>>>(reinterpret_cast<unsigned char*>(device_image_.data), rounds, bytes, to.data);
    const bool same = !std::memcmp(to.host().data(), image_.values.data(), rounds * bytes);
    say("bulk copies through a ring of barriers", same, same ? "7 rounds, every byte" : "other bytes");
  }

  void copies_with_zeros() {
    Device<uint4> to(kGroup);
    copy_kernel<<<1, kGroup, kGroup * 16>>>(device_image_.data, to.data, 77);
    std::vector<unsigned char> wanted(kGroup * 16, 0);
    std::memcpy(wanted.data(), image_.values.data(), 77 * 16);
    const bool same = !std::memcmp(to.host().data(), wanted.data(), wanted.size());
    say("cp.async fills zeros where there is no source", same, same ? "every byte" : "other bytes");
  }

  // Kernels' errors depend on it: sums that are cut off all err towards zero.
  void rounding() {
    const auto sum = [](float sign) {
      Device<float> out(1);
      rounding_kernel<<<1, kWarp>>>(sign, sign, out.data);
      return out.host()[0];
    };
    const float last = std::ldexp(1.0f, -23), above = sum(1), below = sum(-1);
    const bool known = (above == 1 || above == 1 + last) && (below == -1 || below == -1 - last);
    say("mma.sync adds to within the last bit", known, std::to_string(above) + " and " + std::to_string(below));
    const char* how = above == 1 ? below == -1 ? "towards zero" : "down" : below == -1 ? "up" : "to the nearest";
    std::printf("{\"fact\": \"sums of mma.sync are rounded\", \"value\": \"%s\"}\n", how);
  }

  template <int kColumns>
  void cycles() {
    struct Reading {
      int shift, stride, leading;
    };
    for (const Reading r : {Reading{0, 128, 16384},
                            {0, 128, kPitch * 16},
                            {0, 160, kPitch * 16},
                            {1, 160, kPitch * 16},
                            {3, 160, kPitch * 16},
                            {1, 128, kPitch * 16},
                            {1, 160, 16384}}) {
      Device<long long> cycles(1);
      Device<float> out(2 * kGroup);
      for (int i = 0; i < 2; i++)
        cycles_kernel<kColumns><<<1, 2 * kGroup, kBytes>>>(device_image_.data, r.shift * 16,
                                                           strides(r.leading, r.stride), strides(kColumns * 16, 128),
                                                           cycles.data, out.data);
      const double each = static_cast<double>(cycles.host()[0]) / (kTimed * kTiles * 2);
      std::printf("{\"fact\": \"cycles of wgmma m64n%dk16, start + %d, stride %d, leading %d\", \"value\": %.2f}\n",
                  kColumns, r.shift * 16, r.stride, r.leading, each);
    }
  }

 private:
  Image image_;
  Device<uint4> device_image_;
};

}  // namespace

int main() {
  cudaDeviceProp device;
  must(cudaGetDeviceProperties(&device, 0), "cudaGetDeviceProperties");
  std::printf("{\"fact\": \"device\", \"value\": \"%s, sm_%d%d, %d multiprocessors\"}\n", device.name, device.major,
              device.minor, device.multiProcessorCount);
  Tests tests;
  tests.mma_shifts();
  tests.copies_with_zeros();
  tests.rounding();
  if (device.major != 9) return 0;  // the rest is Hopper's
  tests.wgmma_shifts(kBothShared, "wgmma, both operands in shared memory, at 32 shifts");
  tests.wgmma_shifts(kRegisters, "wgmma, A in registers by ldmatrix, at 32 shifts");
  tests.wgmma_shifts(kContiguousVoxels, "wgmma, M and N contiguous, at 32 shifts");
  tests.bulk_copies();
  tests.cycles<32>();
  tests.cycles<64>();
  return 0;
}
