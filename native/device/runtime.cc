#include "device/runtime.h"

#include <omp.h>

#include <cstdlib>

namespace voxelspark {

Runtime::Runtime() : threads(omp_get_max_threads()) {
  for (int i = 0; i < kDeviceKinds; i++) {
    const auto kind = static_cast<DeviceKind>(i);
    const Backend& backend = kind == DeviceKind::null ? null_backend : cpu_backend;
    if (kind == DeviceKind::cuda) continue;  // made when a device is first used
    pools_[i] = std::make_unique<Pool>(backend.memory, [this] {
      queue.wait_idle();
      return true;
    });
  }
}

Runtime::~Runtime() {
  queue.cancel();
  if (has_pool(DeviceKind::cuda)) queue.submit(backend_of(DeviceKind::cuda).graphs.abort);  // its end was dropped
}

// The one place that knows which device has which element types.
static void require_dtype(DeviceKind device, DType dtype) {
  constexpr const char* kDevices[kDeviceKinds] = {"cpu", "reference", "null", "cuda"};
  require(dtype != DType::float64 || device == DeviceKind::reference, "TYPE",
          "dtype float64 exists on the reference device only");
  require(!is_16_bit(dtype) || device == DeviceKind::cuda || device == DeviceKind::null, "DEVICE",
          std::string("dtype ") + name_of(dtype) + " exists on device 'cuda' only, the device is '" +
              kDevices[static_cast<int>(device)] + "'; allowed there is float32");
}

Pool& Runtime::cuda_pool() {
  auto& pool = pools_[static_cast<int>(DeviceKind::cuda)];
  if (pool) return *pool;
  const Backend& backend = backend_of(DeviceKind::cuda);
  // After the driver's own, thus called before it.
  static const int registered = std::atexit(Queue::halt_all);
  require(registered == 0, "DEVICE", "the end of the process cannot be watched, as device 'cuda' needs");
  pool = std::make_unique<Pool>(backend.memory, [this, &backend] {
    if (recording_) return false;  // what is captured cannot be waited for
    queue.wait(queue.submit(backend.synchronize));
    return true;
  });
  return *pool;
}

DeviceTensor Runtime::allocate(DeviceKind device, Layout layout) {
  require_dtype(device, layout.dtype);
  backend_of(device);  // throws when there is no device
  Pool& pool = device == DeviceKind::cuda ? cuda_pool() : *pools_[static_cast<int>(device)];
  DeviceTensor t;
  t.device = device;
  t.tensor.data = pool.allocate(layout.bytes());
  t.tensor.layout = std::move(layout);
  return t;
}

KernelMemory Runtime::allocate(DeviceKind device, const std::vector<Layout>& outputs, int64_t workspace) {
  KernelMemory memory;
  try {
    for (const Layout& layout : outputs) memory.outputs.push_back(allocate(device, layout));
    if (workspace) memory.workspace = pool(device).allocate(workspace);
  } catch (...) {
    for (const DeviceTensor& t : memory.outputs) release(t);
    throw;
  }
  return memory;
}

// After a failure the rest of the step must not run either, neither now nor as part of a graph.
void Runtime::submit(std::function<void()> job) {
  if (!recording_) {
    queue.submit(std::move(job));
    return;
  }
  queue.submit([step = recording_, job = std::move(job)] {
    if (step->failed) return;
    step->failed = true;
    job();
    step->failed = false;
  });
}

void Runtime::begin_step(bool record) {
  refuse_in_step("another step");
  cuda_pool().use_part_of_steps(true);
  if (!record) return;
  recording_ = std::make_shared<RecordedStep>();
  recording_->free = backend_of(DeviceKind::cuda).graphs.free;
  submit(backend_of(DeviceKind::cuda).graphs.begin);
}

double Runtime::end_step(bool drop) {
  cuda_pool().use_part_of_steps(false);
  if (!recording_) return 0;
  const Graphs& graphs = backend_of(DeviceKind::cuda).graphs;
  const std::shared_ptr<RecordedStep> step = std::move(recording_);
  queue.submit([step, drop, &graphs] {
    if (drop || step->failed) return graphs.abort();
    step->failed = true;
    step->graph = graphs.end();
    step->failed = false;
  });
  return drop ? 0 : steps.add(step);
}

void Runtime::launch_step(double handle) {
  refuse_in_step("another step");
  queue.submit([step = steps.get(handle, "a recorded step"), &graphs = backend_of(DeviceKind::cuda).graphs] {
    require(!step->failed, "DEVICE", "a step that could not be captured in a CUDA graph cannot be repeated");
    graphs.launch(step->graph);
  });
}

void Runtime::dispose_step(double handle) {
  if (handle != 0) {
    queue.submit([step = steps.get(handle, "a recorded step")]() mutable { step.reset(); });  // after its last launch
    steps.remove(handle, "a recorded step");
  }
  if (steps.live() == 0 && has_pool(DeviceKind::cuda)) cuda_pool().join_parts();
}

void Runtime::refuse_in_step(const char* what) const {
  require(!recording_, "DEVICE", std::string(what) + " cannot be part of a step that is captured in a CUDA graph");
}

void Runtime::throw_failure() {
  if (auto failure = queue.take_failure()) throw *failure;
}

}  // namespace voxelspark
