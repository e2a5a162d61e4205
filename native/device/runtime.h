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

class Runtime {
 public:
  Runtime();
  ~Runtime();  // drops queued work, returns all memory

  // A tensor with uninitialised memory; `release` takes effect in launch order.
  DeviceTensor allocate(DeviceKind device, Layout layout);
  void release(const DeviceTensor& t) { pool(t.device).release(t.tensor.data); }
  // The CUDA device has no pool before its first tensor.
  bool has_pool(DeviceKind device) const { return pools_[static_cast<int>(device)] != nullptr; }
  Pool& pool(DeviceKind device) { return *pools_[static_cast<int>(device)]; }
  // Throws the first failure of a kernel that ran since the last call.
  void throw_failure();

  HandleTable<DeviceTensor> tensors;
  HandleTable<std::shared_ptr<const BlockGrid>> grids;
  Profile profile;  // outlives the queue
  Queue queue;
  int threads;
  DeviceKind null_counts = DeviceKind::cpu;  // whose workspaces the null device counts

 private:
  std::unique_ptr<Pool> pools_[kDeviceKinds];
};

}  // namespace voxelspark
