#include "device/transfer.h"

#include "device/layout_copy.h"

namespace voxelspark {

void submit_write(Runtime& runtime, const DeviceTensor& t, Bytes dense) {
  if (t.device == DeviceKind::null) return;
  runtime.refuse_in_step("a copy of values from JavaScript");
  const Backend& backend = backend_of(t.device);
  runtime.submit([to = t.tensor, dense, &backend] {
    if (backend.on_host) return to_storage(to.layout, dense->data(), to.data);
    std::vector<uint8_t> stored(static_cast<size_t>(to.layout.bytes()));
    to_storage(to.layout, dense->data(), stored.data());
    backend.transfers.copy_in(to.data, stored.data(), to.layout.bytes());
  });
}

void submit_fill(Runtime& runtime, const DeviceTensor& t, double value) {
  if (t.device == DeviceKind::null) return;
  const Backend& backend = backend_of(t.device);
  runtime.submit([to = t.tensor, value, &backend] {
    if (backend.on_host) return fill_storage(to.layout, value, to.data);
    uint8_t element[sizeof(double)];
    fill_storage({scalar_shape(), to.layout.dtype, nullptr}, value, element);
    backend.transfers.fill(to.data, element, size_of(to.layout.dtype), to.layout.stored_elements());
  });
}

std::shared_ptr<Read> Read::submit(Runtime& runtime, const DeviceTensor& t) {
  runtime.refuse_in_step("a read");
  auto read = std::make_shared<Read>();
  read->from_ = t.tensor;
  read->backend_ = &backend_of(t.device);
  runtime.submit([read] { read->run(); });
  return read;
}

void Read::run() {
  const Layout& layout = from_.layout;
  dense.resize(static_cast<size_t>(layout.shape.elements() * size_of(host_of(layout.dtype))));
  if (backend_->on_host) return from_storage(layout, from_.data, dense.data());
  if (layout.bytes() <= kSmallCopy && dense.size() <= kSmallCopy) {
    begun_ = backend_->transfers.begin_read(from_.data, layout.bytes());
    return;
  }
  std::vector<uint8_t> stored(static_cast<size_t>(layout.bytes()));
  backend_->transfers.copy_out(stored.data(), from_.data, layout.bytes());
  from_storage(layout, stored.data(), dense.data());
}

void Read::finish() {
  if (!begun_) return;
  std::vector<uint8_t> stored(static_cast<size_t>(from_.layout.bytes()));
  backend_->transfers.finish_read(begun_, stored.data());
  from_storage(from_.layout, stored.data(), dense.data());
}

}  // namespace voxelspark
