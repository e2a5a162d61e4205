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

// The one place that knows which device has which element types.
static void require_dtype(DeviceKind device, DType dtype) {
  constexpr const char* kDevices[kDeviceKinds] = {"cpu", "reference", "null", "cuda"};
  require(dtype != DType::float64 || device == DeviceKind::reference, "TYPE",
          "dtype float64 exists on the reference device only");
  require(!is_16_bit(dtype) || device == DeviceKind::cuda || device == DeviceKind::null, "DEVICE",
          std::string("dtype ") + name_of(dtype) + " exists on device 'cuda' only, the device is '" +
              kDevices[static_cast<int>(device)] + "'; allowed there is float32");
}

DeviceTensor Runtime::allocate(DeviceKind device, Layout layout) {
  require_dtype(device, layout.dtype);
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
