// Tensors in and out: JavaScript order (N, C, D, H, W) on one side, storage order (tensor.h) on the other.
#include <cstring>

#include "core/voxel_access.h"
#include "device/parallel.h"
#include "napi/addon.h"

namespace voxelspark {

using Bytes = std::shared_ptr<std::vector<uint8_t>>;

// Copies between the two orders; Swap(dense element, stored element).
template <class T, class Move>
static void each_element(const Layout& layout, T* dense, T* stored, const Move& move) {
  const Shape& s = layout.shape;
  const Int3 size = s.size(), edge = layout.edge();
  const int64_t plane = size.product(), c = s.channels();
  parallel_for(layout.blocks() * edge.z, [&](int64_t i) {
    const int64_t block = i / edge.z, n = layout.sample_of(block);
    const Int3 corner = layout.corner_of(block);
    const int64_t z = corner.z + i % edge.z;
    T* voxel = stored + i * edge.y * edge.x * c;
    for (int64_t y = corner.y; y < corner.y + edge.y; y++)
      for (int64_t x = corner.x; x < corner.x + edge.x; x++, voxel += c) {
        T* at = dense + n * c * plane + (z * size.y + y) * size.x + x;
        for (int64_t k = 0; k < c; k++) move(at[k * plane], voxel[k]);
      }
  });
}

template <class T>
static void to_storage(const Layout& layout, T* dense, T* stored) {
  if (layout.shape.rank < 5) std::memcpy(stored, dense, layout.bytes());
  else each_element(layout, dense, stored, [](T& from, T& to) { to = from; });
}

template <class T>
static void from_storage(const Layout& layout, T* dense, T* stored) {
  if (layout.shape.rank < 5) std::memcpy(dense, stored, layout.bytes());
  else each_element(layout, dense, stored, [](T& to, T& from) { to = from; });
}

template <class Body>
static void typed(DType type, const Body& body) {
  if (type == DType::float64) body(double{});
  else body(float{});
}

static Bytes copy_of(const Napi::Value& value, const Layout& layout) {
  const auto wanted = layout.dtype == DType::float64 ? napi_float64_array : napi_float32_array;
  require(value.IsTypedArray() && value.As<Napi::TypedArray>().TypedArrayType() == wanted, "TYPE",
          std::string("data must be a ") + (wanted == napi_float64_array ? "Float64Array" : "Float32Array"));
  auto array = value.As<Napi::TypedArray>();
  require(static_cast<int64_t>(array.ElementLength()) == layout.shape.elements(), "SHAPE",
          "data has " + std::to_string(array.ElementLength()) + " elements, shape " + to_string(layout.shape) +
              " needs " + std::to_string(layout.shape.elements()));
  const auto* begin = static_cast<const uint8_t*>(array.ArrayBuffer().Data()) + array.ByteOffset();
  return std::make_shared<std::vector<uint8_t>>(begin, begin + array.ByteLength());
}

static void submit_write(Runtime& runtime, const DeviceTensor& t, Bytes dense) {
  if (t.device == DeviceKind::null) return;
  const Backend& backend = backend_of(t.device);
  runtime.queue.submit([t, dense, &backend] {
    const Layout& layout = t.tensor.layout;
    std::vector<uint8_t> stored(layout.bytes());
    typed(layout.dtype, [&](auto zero) {
      using T = decltype(zero);
      to_storage(layout, reinterpret_cast<T*>(dense->data()), reinterpret_cast<T*>(stored.data()));
    });
    backend.copy_in(t.tensor.data, stored.data(), layout.bytes());
  });
}

Napi::Value Addon::create_grid(const Info& info) {
  return guarded(info, [&]() -> Napi::Value {
    const int64_t samples = integer_of(info[0], "samples");
    const Int3 cells = int3_of(info[1], "grid");
    require(samples >= 1 && cells.z >= 1 && cells.y >= 1 && cells.x >= 1 && samples * cells.product() < (1 << 30),
            "RANGE", "a mask of " + std::to_string(samples) + " x " + to_string(cells) + " cells is not possible");
    require(info[2].IsTypedArray() && info[2].As<Napi::TypedArray>().TypedArrayType() == napi_uint8_array, "TYPE",
            "visible must be a Uint8Array");
    auto visible = info[2].As<Napi::Uint8Array>();
    require(static_cast<int64_t>(visible.ElementLength()) == samples * cells.product(), "SHAPE",
            "visible has " + std::to_string(visible.ElementLength()) + " entries, the grid has " +
                std::to_string(samples * cells.product()) + " cells");
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
  layout.dtype = static_cast<DType>(integer_of(info[1], "dtype"));
  require(layout.dtype == DType::float32 || device == DeviceKind::reference, "TYPE",
          "dtype float64 exists on the reference device only");
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
    if (t.device != DeviceKind::null) {
      const Backend& backend = backend_of(t.device);
      runtime_.queue.submit([t, value, &backend] {
        const Layout& layout = t.tensor.layout;
        std::vector<uint8_t> stored(layout.bytes());
        typed(layout.dtype, [&](auto zero) {
          using T = decltype(zero);
          T* data = reinterpret_cast<T*>(stored.data());
          for (int64_t i = 0; i < layout.stored_elements(); i++) data[i] = static_cast<T>(value);
        });
        backend.copy_in(t.tensor.data, stored.data(), layout.bytes());
      });
    }
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
    if (auto failure = runtime_.queue.take_failure()) deferred.Reject(Addon::error_of(Env(), *failure).Value());
    else deferred.Resolve(value_(Env()));
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
  return promise_after_queue(info.Env(), [](Napi::Env env) { return env.Undefined(); });
}

Napi::Value Addon::read(const Info& info) {
  return guarded(info, [&]() -> Napi::Value {
    const DeviceTensor t = runtime_.tensors.get(number_of(info[0], "tensor"), "the tensor");
    require(t.device != DeviceKind::null, "DEVICE", "a tensor of the null device has no data");
    const Backend& backend = backend_of(t.device);
    const int64_t elements = t.tensor.layout.shape.elements();
    const DType dtype = t.tensor.layout.dtype;
    auto dense = std::make_shared<std::vector<uint8_t>>();
    runtime_.queue.submit([t, dense, &backend, elements] {
      const Layout& layout = t.tensor.layout;
      std::vector<uint8_t> stored(layout.bytes());
      backend.copy_out(stored.data(), t.tensor.data, layout.bytes());
      dense->resize(elements * size_of(layout.dtype));  // zeros where masked
      typed(layout.dtype, [&](auto zero) {
        using T = decltype(zero);
        from_storage(layout, reinterpret_cast<T*>(dense->data()), reinterpret_cast<T*>(stored.data()));
      });
    });
    return promise_after_queue(info.Env(), [dense, elements, dtype](Napi::Env env) -> Napi::Value {
      Napi::ArrayBuffer buffer = Napi::ArrayBuffer::New(env, dense->size());
      std::memcpy(buffer.Data(), dense->data(), dense->size());
      if (dtype == DType::float64) return Napi::Float64Array::New(env, elements, buffer, 0);
      return Napi::Float32Array::New(env, elements, buffer, 0);
    });
  });
}

}  // namespace voxelspark
