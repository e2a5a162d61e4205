#include "device/runtime.h"

#include <omp.h>

namespace voxelspark {

Runtime::Runtime() : threads(omp_get_max_threads()) {
  for (int i = 0; i < kDeviceKinds; i++) {
    const auto kind = static_cast<DeviceKind>(i);
    const Backend& backend = kind == DeviceKind::null ? null_backend : cpu_backend;
    if (kind == DeviceKind::cuda) continue;  // made when a device is first used
    pools_[i] = std::make_unique<Pool>(backend.memory, [this] { queue.wait_idle(); });
  }
}

Runtime::~Runtime() { queue.cancel(); }

DeviceTensor Runtime::allocate(DeviceKind device, Layout layout) {
  const Backend& backend = backend_of(device);
  auto& pool = pools_[static_cast<int>(device)];
  if (!pool) {
    pool = std::make_unique<Pool>(backend.memory, [this, &backend] {
      queue.wait_idle();
      backend.synchronize();
    });
  }
  DeviceTensor t;
  t.device = device;
  t.tensor.data = pool->allocate(layout.bytes());
  t.tensor.layout = std::move(layout);
  return t;
}

void Runtime::throw_failure() {
  if (auto failure = queue.take_failure()) throw *failure;
}

}  // namespace voxelspark
