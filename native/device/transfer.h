// Values into tensors and out of them: the order of JavaScript, (N, C, D, H, W), on one side, storage order
// (core/tensor.h) on the other. All of it is queued.
#pragma once
#include <memory>
#include <vector>

#include "device/runtime.h"

namespace voxelspark {

using Bytes = std::shared_ptr<std::vector<uint8_t>>;

void submit_write(Runtime& runtime, const DeviceTensor& t, Bytes dense);
void submit_fill(Runtime& runtime, const DeviceTensor& t, double value);

// A tensor's values on their way to the host.
class Read {
 public:
  // Values are there when the queue has come so far and `finish` has been called, once, on any thread but the queue's:
  // the wait for a few values does not hold up the queue.
  static std::shared_ptr<Read> submit(Runtime& runtime, const DeviceTensor& t);
  void finish();

  std::vector<uint8_t> dense;  // zeros where masked

 private:
  void run();

  Tensor from_;
  const Backend* backend_ = nullptr;
  void* begun_ = nullptr;
};

}  // namespace voxelspark
