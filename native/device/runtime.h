// State of one JavaScript environment (main thread or worker): compute queue, memory pools, handle tables.
#pragma once
#include <memory>

#include "core/handle_table.h"
#include "core/pool.h"
#include "core/tensor.h"
#include "device/backend.h"
#include "device/profile.h"
#include "device/queue.h"

namespace voxelspark {

struct DeviceTensor {
  Tensor tensor;
  DeviceKind device = DeviceKind::cpu;
};

// What a kernel writes into.
struct KernelMemory {
  std::vector<DeviceTensor> outputs;
  void* workspace = nullptr;
};

// What the queue did between begin_step and end_step, as a graph of the device. Filled and used on the queue's thread.
struct RecordedStep {
  void* graph = nullptr;
  void (*free)(void* graph) = nullptr;
  bool failed = false;

  RecordedStep() = default;
  RecordedStep(const RecordedStep&) = delete;
  RecordedStep& operator=(const RecordedStep&) = delete;
  ~RecordedStep() {
    if (graph) free(graph);
  }
};

class Runtime {
 public:
  Runtime();
  ~Runtime();  // drops queued work, returns all memory

  // Queues a job, or makes it part of the step that is recorded.
  void submit(std::function<void()> job);
  // From here to end_step memory of CUDA is that of steps (see Pool); recorded: nothing runs, all becomes a graph.
  void begin_step(bool record);
  // The handle of what was recorded; 0 when nothing was, or when it is dropped.
  double end_step(bool drop);
  void launch_step(double handle);
  void dispose_step(double handle);  // 0: none; the last one gives the memory of steps back to everyone
  // Throws when a step is recorded: it would repeat what this does with the values of now.
  void refuse_in_step(const char* what) const;

  // A tensor with uninitialised memory; `release` takes effect in launch order.
  DeviceTensor allocate(DeviceKind device, Layout layout);
  // All of it, or none and a throw; no workspace for 0 bytes.
  KernelMemory allocate(DeviceKind device, const std::vector<Layout>& outputs, int64_t workspace);
  void release(const DeviceTensor& t) { pool(t.device).release(t.tensor.data); }
  // The CUDA device has no pool before its first tensor.
  bool has_pool(DeviceKind device) const { return pools_[static_cast<int>(device)] != nullptr; }
  Pool& pool(DeviceKind device) { return *pools_[static_cast<int>(device)]; }
  // Throws the first failure of a kernel that ran since the last call.
  void throw_failure();

  HandleTable<std::shared_ptr<RecordedStep>> steps;
  HandleTable<DeviceTensor> tensors;
  HandleTable<std::shared_ptr<BlockGrid>> grids;
  Profile profile;  // outlives the queue
  Queue queue;
  int threads;
  DeviceKind null_counts = DeviceKind::cpu;  // whose workspaces the null device counts

 private:
  Pool& cuda_pool();

  std::shared_ptr<RecordedStep> recording_;
  std::unique_ptr<Pool> pools_[kDeviceKinds];
};

}  // namespace voxelspark
