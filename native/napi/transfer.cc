// Tensors in and out: JavaScript order (N, C, D, H, W) on one side, storage order (tensor.h) on the other.
#include <cstring>

#include "device/layout_copy.h"
#include "napi/addon.h"

namespace voxelspark {

constexpr int64_t kMaxCells = 1 << 30;

using Bytes = std::shared_ptr<std::vector<uint8_t>>;

// A copy of a typed array, whatever kind of buffer is behind it; a detached one has no elements.
static Bytes copy_of(const Napi::Value& value, const Layout& layout) {
  const auto wanted = layout.dtype == DType::float64 ? napi_float64_array : napi_float32_array;
  require(value.IsTypedArray() && value.As<Napi::TypedArray>().TypedArrayType() == wanted, "TYPE",
          std::string("data must be a ") + (wanted == napi_float64_array ? "Float64Array" : "Float32Array"));
  const auto array = value.As<Napi::Uint8Array>();
  const auto found = static_cast<int64_t>(array.ElementLength()), needed = layout.shape.elements();
  require(found == needed, "SHAPE",
          "data has " + std::to_string(found) + " elements, shape " + to_string(layout.shape) + " needs " +
              std::to_string(needed));
  return std::make_shared<std::vector<uint8_t>>(array.Data(), array.Data() + needed * size_of(host_of(layout.dtype)));
}

static void submit_write(Runtime& runtime, const DeviceTensor& t, Bytes dense) {
  if (t.device == DeviceKind::null) return;
  const Backend& backend = backend_of(t.device);
  runtime.queue.submit([to = t.tensor, dense, &backend] {
    if (backend.on_host) return to_storage(to.layout, dense->data(), to.data);
    std::vector<uint8_t> stored(static_cast<size_t>(to.layout.bytes()));
    to_storage(to.layout, dense->data(), stored.data());
    backend.copy_in(to.data, stored.data(), to.layout.bytes());
  });
}

static void submit_fill(Runtime& runtime, const DeviceTensor& t, double value) {
  if (t.device == DeviceKind::null) return;
  const Backend& backend = backend_of(t.device);
  runtime.queue.submit([to = t.tensor, value, &backend] {
    if (backend.on_host) return fill_storage(to.layout, value, to.data);
    std::vector<uint8_t> stored(static_cast<size_t>(to.layout.bytes()));
    fill_storage(to.layout, value, stored.data());
    backend.copy_in(to.data, stored.data(), to.layout.bytes());
  });
}

// `dense` gets zeros where masked.
static void submit_read(Runtime& runtime, const DeviceTensor& t, Bytes dense) {
  const Backend& backend = backend_of(t.device);
  runtime.queue.submit([from = t.tensor, dense, &backend] {
    const Layout& layout = from.layout;
    dense->resize(static_cast<size_t>(layout.shape.elements() * size_of(host_of(layout.dtype))));
    if (backend.on_host) return from_storage(layout, from.data, dense->data());
    std::vector<uint8_t> stored(static_cast<size_t>(layout.bytes()));
    backend.copy_out(stored.data(), from.data, layout.bytes());
    from_storage(layout, stored.data(), dense->data());
  });
}

Napi::Value Addon::create_grid(const Info& info) {
  return guarded(info, [&]() -> Napi::Value {
    const int64_t samples = integer_of(info[0], "samples");
    const Int3 cells = int3_of(info[1], "grid");
    int64_t count = 1;
    for (const int64_t n : {samples, cells.z, cells.y, cells.x})
      require(n >= 1 && !__builtin_mul_overflow(count, n, &count) && count < kMaxCells, "RANGE",
              "a mask of " + std::to_string(samples) + " x " + to_string(cells) +
                  " cells is not possible, allowed are " + "sizes from 1 and fewer than 2^30 cells in all");
    require(info[2].IsTypedArray() && info[2].As<Napi::TypedArray>().TypedArrayType() == napi_uint8_array, "TYPE",
            "visible must be a Uint8Array");
    auto visible = info[2].As<Napi::Uint8Array>();
    require(static_cast<int64_t>(visible.ElementLength()) == count, "SHAPE",
            "visible has " + std::to_string(visible.ElementLength()) + " entries, the grid has " +
                std::to_string(count) + " cells");
    auto grid = std::make_shared<const BlockGrid>(samples, cells, visible.Data());
    return Napi::Number::New(info.Env(), runtime_.grids.add(std::move(grid)));
  });
}

Napi::Value Addon::dispose_grid(const Info& info) {
  return guarded(info, [&]() -> Napi::Value {
    runtime_.grids.remove(number_of(info[0], "mask"), "the mask");
    return info.Env().Undefined();
  });
}

DeviceTensor Addon::allocate_from(const Info& info) {
  const DeviceKind device = device_of(info[0]);
  Layout layout;
  layout.dtype = dtype_of(info[1]);
  layout.shape = shape_of(info[2]);
  if (number_of(info[3], "mask") != 0) {
    layout.grid = runtime_.grids.get(number_of(info[3], "mask"), "the mask");
    require_shape(layout.shape.rank == 5 && layout.shape.samples() == layout.grid->samples &&
                      divides(layout.grid->cells, layout.shape.size()),
                  "a mask of " + std::to_string(layout.grid->samples) + " samples and grid " +
                      to_string(layout.grid->cells) + " does not divide shape " + to_string(layout.shape));
  }
  return runtime_.allocate(device, std::move(layout));
}

Napi::Value Addon::upload(const Info& info) {
  return guarded(info, [&]() -> Napi::Value {
    DeviceTensor t = allocate_from(info);
    try {
      submit_write(runtime_, t, copy_of(info[4], t.tensor.layout));
    } catch (...) {
      runtime_.release(t);
      throw;
    }
    return Napi::Number::New(info.Env(), runtime_.tensors.add(std::move(t)));
  });
}

Napi::Value Addon::fill(const Info& info) {
  return guarded(info, [&]() -> Napi::Value {
    const double value = number_of(info[4], "value");
    DeviceTensor t = allocate_from(info);
    submit_fill(runtime_, t, value);
    return Napi::Number::New(info.Env(), runtime_.tensors.add(std::move(t)));
  });
}

Napi::Value Addon::write(const Info& info) {
  return guarded(info, [&]() -> Napi::Value {
    const DeviceTensor& t = runtime_.tensors.get(number_of(info[0], "tensor"), "the tensor");
    submit_write(runtime_, t, copy_of(info[1], t.tensor.layout));
    return info.Env().Undefined();
  });
}

Napi::Value Addon::dispose(const Info& info) {
  return guarded(info, [&]() -> Napi::Value {
    const double handle = number_of(info[0], "tensor");
    runtime_.release(runtime_.tensors.get(handle, "the tensor"));
    runtime_.tensors.remove(handle, "the tensor");
    return info.Env().Undefined();
  });
}

// Waits for the queue on a pool thread; then resolves with a value made on the JavaScript thread.
class QueueWait : public Napi::AsyncWorker {
 public:
  QueueWait(Napi::Env env, Runtime& runtime, std::function<Napi::Value(Napi::Env)> value)
      : AsyncWorker(env),
        deferred(Napi::Promise::Deferred::New(env)),
        runtime_(runtime),
        ticket_(runtime.queue.submitted()),
        value_(std::move(value)) {}

  void Execute() override { runtime_.queue.wait(ticket_); }
  void OnOK() override {
    try {
      if (auto failure = runtime_.queue.take_failure()) deferred.Reject(Addon::error_of(Env(), *failure).Value());
      else deferred.Resolve(value_(Env()));
    } catch (const Napi::Error& e) {  // more bytes than an ArrayBuffer can have
      deferred.Reject(e.Value());
    }
  }

  Napi::Promise::Deferred deferred;

 private:
  Runtime& runtime_;
  uint64_t ticket_;
  std::function<Napi::Value(Napi::Env)> value_;
};

Napi::Value Addon::promise_after_queue(Napi::Env env, std::function<Napi::Value(Napi::Env)> value) {
  auto* wait = new QueueWait(env, runtime_, std::move(value));
  Napi::Promise promise = wait->deferred.Promise();
  wait->Queue();
  return promise;
}

Napi::Value Addon::sync(const Info& info) {
  if (runtime_.has_pool(DeviceKind::cuda)) runtime_.queue.submit(backend_of(DeviceKind::cuda).synchronize);
  return promise_after_queue(info.Env(), [](Napi::Env env) { return env.Undefined(); });
}

Napi::Value Addon::read(const Info& info) {
  return guarded(info, [&]() -> Napi::Value {
    const DeviceTensor& t = runtime_.tensors.get(number_of(info[0], "tensor"), "the tensor");
    require(t.device != DeviceKind::null, "DEVICE", "a tensor of the null device has no data");
    const auto elements = static_cast<size_t>(t.tensor.layout.shape.elements());
    const DType dtype = t.tensor.layout.dtype;
    auto dense = std::make_shared<std::vector<uint8_t>>();
    submit_read(runtime_, t, dense);
    return promise_after_queue(info.Env(), [dense, elements, dtype](Napi::Env env) -> Napi::Value {
      Napi::ArrayBuffer buffer = Napi::ArrayBuffer::New(env, dense->size());
      std::memcpy(buffer.Data(), dense->data(), dense->size());
      if (dtype == DType::float64) return Napi::Float64Array::New(env, elements, buffer, 0);
      return Napi::Float32Array::New(env, elements, buffer, 0);
    });
  });
}

}  // namespace voxelspark
