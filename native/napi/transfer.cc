// Tensors and masks in and out, and steps that are repeated.
#include "device/transfer.h"

#include <cstring>
#include <optional>

#include "napi/addon.h"

namespace voxelspark {

constexpr int64_t kMaxCells = 1 << 30;

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

// Of a grid of so many cells.
static uint8_t* visible_of(const Napi::Value& value, int64_t cells) {
  require(value.IsTypedArray() && value.As<Napi::TypedArray>().TypedArrayType() == napi_uint8_array, "TYPE",
          "visible must be a Uint8Array");
  auto visible = value.As<Napi::Uint8Array>();
  require(static_cast<int64_t>(visible.ElementLength()) == cells, "SHAPE",
          "visible has " + std::to_string(visible.ElementLength()) + " entries, the grid has " + std::to_string(cells) +
              " cells");
  return visible.Data();
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
    runtime_.refuse_in_step("a mask that is new");
    auto grid = std::make_shared<BlockGrid>(samples, cells, visible_of(info[2], count));
    return Napi::Number::New(info.Env(), runtime_.grids.add(std::move(grid)));
  });
}

Napi::Value Addon::write_grid(const Info& info) {
  return guarded(info, [&] {
    runtime_.refuse_in_step("a change of a mask");
    const std::shared_ptr<BlockGrid> grid = runtime_.grids.get(number_of(info[0], "mask"), "the mask");
    const uint8_t* visible = visible_of(info[1], grid->samples * grid->cells_per_sample());
    auto other = std::make_shared<const BlockGrid>(grid->samples, grid->cells, visible);
    require(other->first_block == grid->first_block, "RANGE",
            "a mask keeps its number of visible cells in each sample when it changes");
    const CudaBackend* cuda = runtime_.has_pool(DeviceKind::cuda) ? cuda_backend() : nullptr;
    runtime_.submit([grid, other, cuda] {
      grid->move_to(*other);
      if (cuda) cuda->backend.graphs.refresh(grid);
    });
  });
}

Napi::Value Addon::dispose_grid(const Info& info) {
  return guarded(info, [&] { runtime_.grids.remove(number_of(info[0], "mask"), "the mask"); });
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
  return guarded(info, [&] {
    const DeviceTensor& t = runtime_.tensors.get(number_of(info[0], "tensor"), "the tensor");
    submit_write(runtime_, t, copy_of(info[1], t.tensor.layout));
  });
}

Napi::Value Addon::dispose(const Info& info) {
  return guarded(info, [&] {
    const double handle = number_of(info[0], "tensor");
    runtime_.release(runtime_.tensors.get(handle, "the tensor"));
    runtime_.tensors.remove(handle, "the tensor");
  });
}

// Waits for the queue, then for `read`, on a pool thread; then resolves with the values of it.
class QueueWait : public Napi::AsyncWorker {
 public:
  QueueWait(Napi::Env env, Runtime& runtime, std::shared_ptr<Read> read, DType dtype = DType::float32)
      : AsyncWorker(env),
        deferred(Napi::Promise::Deferred::New(env)),
        runtime_(runtime),
        ticket_(runtime.queue.submitted()),
        read_(std::move(read)),
        dtype_(dtype) {}

  void Execute() override {
    runtime_.queue.wait(ticket_);
    try {
      if (read_) read_->finish();
    } catch (const Failure& f) {
      failure_ = f;
    }
  }
  void OnOK() override {
    try {
      if (auto failure = runtime_.queue.take_failure()) failure_ = failure;
      if (failure_) deferred.Reject(Addon::error_of(Env(), *failure_).Value());
      else deferred.Resolve(value());
    } catch (const Napi::Error& e) {  // more bytes than an ArrayBuffer can have
      deferred.Reject(e.Value());
    }
  }

  Napi::Promise::Deferred deferred;

 private:
  Napi::Value value() {
    if (!read_) return Env().Undefined();
    const std::vector<uint8_t>& dense = read_->dense;
    Napi::ArrayBuffer buffer = Napi::ArrayBuffer::New(Env(), dense.size());
    std::memcpy(buffer.Data(), dense.data(), dense.size());
    if (dtype_ == DType::float64) return Napi::Float64Array::New(Env(), dense.size() / 8, buffer, 0);
    return Napi::Float32Array::New(Env(), dense.size() / 4, buffer, 0);
  }

  Runtime& runtime_;
  uint64_t ticket_;
  std::shared_ptr<Read> read_;
  DType dtype_;
  std::optional<Failure> failure_;
};

static Napi::Value promise_of(QueueWait* wait) {
  Napi::Promise promise = wait->deferred.Promise();
  wait->Queue();
  return promise;
}

Napi::Value Addon::sync(const Info& info) {
  return guarded(info, [&]() -> Napi::Value {
    runtime_.refuse_in_step("a wait");
    if (runtime_.has_pool(DeviceKind::cuda)) runtime_.submit(backend_of(DeviceKind::cuda).synchronize);
    return promise_of(new QueueWait(info.Env(), runtime_, nullptr));
  });
}

Napi::Value Addon::read(const Info& info) {
  return guarded(info, [&]() -> Napi::Value {
    const DeviceTensor& t = runtime_.tensors.get(number_of(info[0], "tensor"), "the tensor");
    require(t.device != DeviceKind::null, "DEVICE", "a tensor of the null device has no data");
    return promise_of(new QueueWait(info.Env(), runtime_, Read::submit(runtime_, t), t.tensor.layout.dtype));
  });
}

Napi::Value Addon::begin_step(const Info& info) {
  return guarded(info, [&] { runtime_.begin_step(info[0].ToBoolean()); });
}

Napi::Value Addon::end_step(const Info& info) {
  return guarded(info, [&] { return Napi::Number::New(info.Env(), runtime_.end_step(info[0].ToBoolean())); });
}

Napi::Value Addon::launch_step(const Info& info) {
  return guarded(info, [&] { runtime_.launch_step(number_of(info[0], "step")); });
}

Napi::Value Addon::dispose_step(const Info& info) {
  return guarded(info, [&] { runtime_.dispose_step(number_of(info[0], "step")); });
}

}  // namespace voxelspark
