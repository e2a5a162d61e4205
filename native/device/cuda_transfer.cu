#include <algorithm>
#include <cstring>
#include <memory>
#include <mutex>
#include <vector>

#include "device/backend.h"
#include "device/cuda_graph.cuh"
#include "device/cuda_stream.cuh"
#include "device/cuda_transfer.cuh"

namespace voxelspark {

namespace {

constexpr int64_t kPiece = int64_t{8} << 20;        // of a large copy
constexpr int64_t kMostAhead = int64_t{128} << 20;  // of a copy that runs beside kernels
constexpr int64_t kLandingUnit = int64_t{4} << 20;

// Pinned memory in pieces that take turns.
class PinnedPieces {
 public:
  struct Piece {
    char* data;
    Event done;  // with the piece's last copy
  };

  PinnedPieces(int count, int64_t bytes) : bytes(bytes), pieces_(count) {
    const cudaError_t status = cudaMallocHost(&memory_, static_cast<size_t>(count * bytes));
    if (status == cudaErrorMemoryAllocation) {
      cudaGetLastError();  // the device is not broken
      throw Failure("OUT_OF_MEMORY",
                    "out of memory: no " + std::to_string(count * bytes) + " bytes of pinned host memory for copies");
    }
    check_cuda(status, "cudaMallocHost");
    for (int i = 0; i < count; i++) pieces_[i].data = static_cast<char*>(memory_) + i * bytes;
  }
  ~PinnedPieces() { cudaFreeHost(memory_); }
  PinnedPieces(const PinnedPieces&) = delete;
  PinnedPieces& operator=(const PinnedPieces&) = delete;

  // The piece whose turn it is, which nobody reads or writes any more.
  Piece& next() {
    Piece& piece = pieces_[turn_++ % pieces_.size()];
    piece.done.wait();
    return piece;
  }

  const int64_t bytes;

 private:
  void* memory_ = nullptr;
  std::vector<Piece> pieces_;
  size_t turn_ = 0;
};

void send(PinnedPieces& pieces, void* device, const void* host, int64_t bytes, cudaStream_t stream) {
  for (int64_t at = 0; at < bytes; at += pieces.bytes) {
    const auto n = static_cast<size_t>(std::min(pieces.bytes, bytes - at));
    PinnedPieces::Piece& piece = pieces.next();
    std::memcpy(piece.data, static_cast<const char*>(host) + at, n);
    char* to = static_cast<char*>(device) + at;
    check_cuda(cudaMemcpyAsync(to, piece.data, n, cudaMemcpyHostToDevice, stream), "a copy to the device");
    piece.done.record(stream);
  }
}

// Device memory in which a copy arrives while kernels still read what it is to replace.
struct Landing {
  void* memory = nullptr;
  int64_t bytes = 0;
  Event arrived, taken;

  ~Landing() { cudaFree(memory); }
  // Whether there is room; without it nothing is wrong.
  bool reserve(int64_t wanted) {
    if (wanted <= bytes) return true;
    taken.wait();
    cudaFree(memory);
    memory = nullptr;
    bytes = (wanted + kLandingUnit - 1) / kLandingUnit * kLandingUnit;
    const cudaError_t status = cudaMalloc(&memory, static_cast<size_t>(bytes));
    if (status == cudaSuccess) return true;
    bytes = 0;
    memory = nullptr;
    if (status != cudaErrorMemoryAllocation) check_cuda(status, "cudaMalloc");
    cudaGetLastError();  // the device is not broken
    return false;
  }
};

// What a thread's copies need. Small copies have pieces of their own, so that they never wait for a large one.
struct Lane {
  Stream copies;
  PinnedPieces small{16, kSmallCopy};
  std::unique_ptr<PinnedPieces> sending, receiving;
  Landing landings[2];
  int turn = 0;

  // Memory goes back when no copy uses it any more.
  ~Lane() {
    cudaStreamSynchronize(copies);
    cudaStreamSynchronize(cudaStreamPerThread);
  }

  static PinnedPieces& two(std::unique_ptr<PinnedPieces>& pieces) {
    if (!pieces) pieces = std::make_unique<PinnedPieces>(2, kPiece);
    return *pieces;
  }
};

Lane& lane() {
  thread_local Lane mine;
  return mine;
}

// On the copying stream into a landing, from there by the thread's own, which alone knows when it is time.
void send_ahead(Lane& mine, Landing& landing, void* device, const void* host, int64_t bytes) {
  landing.taken.hold(mine.copies);
  send(Lane::two(mine.sending), landing.memory, host, bytes, mine.copies);
  landing.arrived.record(mine.copies);
  landing.arrived.hold(cudaStreamPerThread);
  check_cuda(cudaMemcpyAsync(device, landing.memory, static_cast<size_t>(bytes), cudaMemcpyDeviceToDevice,
                             cudaStreamPerThread),
             "a copy on the device");
  landing.taken.record(cudaStreamPerThread);
}

struct SmallRead {
  PinnedPieces memory{1, kSmallCopy};
  int64_t bytes = 0;
  PinnedPieces::Piece* piece = nullptr;
};

// Never destroyed: at process exit the driver may be gone before it.
struct IdleReads {
  std::mutex mutex;
  std::vector<std::unique_ptr<SmallRead>> reads;
};
IdleReads& idle_reads() {
  static auto* all = new IdleReads;
  return *all;
}

std::unique_ptr<SmallRead> idle_read() {
  std::lock_guard<std::mutex> lock(idle_reads().mutex);
  auto& reads = idle_reads().reads;
  if (reads.empty()) return std::make_unique<SmallRead>();
  auto read = std::move(reads.back());
  reads.pop_back();
  return read;
}

template <class T>
struct Fill {
  T* to;
  T element;
  __device__ void operator()(int64_t i) const { to[i] = element; }
};

template <class T>
void fill_with(void* device, const void* element, int64_t elements) {
  Fill<T> fill{static_cast<T*>(device), {}};
  std::memcpy(&fill.element, element, sizeof(T));
  launch_elementwise(elements, fill, "filling a tensor");
}

}  // namespace

void copy_to_device(void* device, const void* host, int64_t bytes) {
  refuse_in_capture("a copy from the host");
  Lane& mine = lane();
  if (bytes <= kSmallCopy) return send(mine.small, device, host, bytes, cudaStreamPerThread);
  Landing& landing = mine.landings[mine.turn++ % 2];
  if (bytes <= kMostAhead && landing.reserve(bytes)) return send_ahead(mine, landing, device, host, bytes);
  send(Lane::two(mine.sending), device, host, bytes, cudaStreamPerThread);
}

// One piece arrives while the host takes the one before.
void copy_to_host(void* host, const void* device, int64_t bytes) {
  refuse_in_capture("a copy to the host");
  PinnedPieces& pieces = Lane::two(lane().receiving);
  PinnedPieces::Piece* before = nullptr;
  for (int64_t at = 0, size = 0; at < bytes + pieces.bytes; at += pieces.bytes) {
    const int64_t before_size = size;
    PinnedPieces::Piece* piece = nullptr;
    if ((size = std::min(pieces.bytes, bytes - at)) > 0) {
      piece = &pieces.next();
      check_cuda(cudaMemcpyAsync(piece->data, static_cast<const char*>(device) + at, static_cast<size_t>(size),
                                 cudaMemcpyDeviceToHost, cudaStreamPerThread),
                 "a copy from the device");
      piece->done.record(cudaStreamPerThread);
    }
    if (before) {
      before->done.wait();
      std::memcpy(static_cast<char*>(host) + at - pieces.bytes, before->data, static_cast<size_t>(before_size));
    }
    before = piece;
  }
}

void* begin_read(const void* device, int64_t bytes) {
  refuse_in_capture("a copy to the host");
  std::unique_ptr<SmallRead> read = idle_read();
  read->bytes = bytes;
  read->piece = &read->memory.next();
  check_cuda(cudaMemcpyAsync(read->piece->data, device, static_cast<size_t>(bytes), cudaMemcpyDeviceToHost,
                             cudaStreamPerThread),
             "a copy from the device");
  read->piece->done.record(cudaStreamPerThread);
  return read.release();
}

void finish_read(void* begun, void* host) {
  std::unique_ptr<SmallRead> read(static_cast<SmallRead*>(begun));
  read->piece->done.wait();
  if (read->bytes > 0) std::memcpy(host, read->piece->data, static_cast<size_t>(read->bytes));
  std::lock_guard<std::mutex> lock(idle_reads().mutex);
  idle_reads().reads.push_back(std::move(read));
}

void fill_device(void* device, const void* element, int64_t element_bytes, int64_t elements) {
  const auto* bytes = static_cast<const unsigned char*>(element);
  if (std::all_of(bytes, bytes + element_bytes, [&](unsigned char b) { return b == *bytes; })) {
    const auto all = static_cast<size_t>(element_bytes * elements);
    return check_cuda(cudaMemsetAsync(device, *bytes, all, cudaStreamPerThread), "filling a tensor");
  }
  if (element_bytes == 2) return fill_with<uint16_t>(device, element, elements);
  if (element_bytes == 4) return fill_with<uint32_t>(device, element, elements);
  fill_with<uint64_t>(device, element, elements);
}

}  // namespace voxelspark
