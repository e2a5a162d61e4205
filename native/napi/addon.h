// The addon's surface: these functions, whatever the number of ops.
#pragma once
#include <napi.h>

#include "device/runtime.h"
#include "napi/arguments.h"

namespace voxelspark {

class Addon : public Napi::Addon<Addon> {
 public:
  Addon(Napi::Env env, Napi::Object exports);

 private:
  using Info = Napi::CallbackInfo;

  Napi::Value create_grid(const Info& info);   // (samples, [gz, gy, gx], Uint8Array visible) -> handle
  Napi::Value write_grid(const Info& info);    // (handle, Uint8Array visible): as many cells of each sample
  Napi::Value dispose_grid(const Info& info);  // (handle)
  Napi::Value upload(const Info& info);        // (device, dtype, shape, grid | 0, typed array (N,C,D,H,W)) -> handle
  Napi::Value fill(const Info& info);          // (device, dtype, shape, grid | 0, value) -> handle
  Napi::Value dispose(const Info& info);       // (handle)
  Napi::Value read(const Info& info);          // (handle) -> Promise of a typed array in (N,C,D,H,W) order
  Napi::Value write(const Info& info);         // (handle, typed array): replaces the values
  Napi::Value sync(const Info& info);          // () -> Promise
  Napi::Value begin_step(const Info& info);    // (whether it is recorded)
  Napi::Value end_step(const Info& info);      // (whether it is dropped) -> handle, 0 when nothing was recorded
  Napi::Value launch_step(const Info& info);   // (handle)
  Napi::Value dispose_step(const Info& info);  // (handle)
  Napi::Value launch(const Info& info);        // (kernel, [handle | 0], attributes) -> [{shape, masked, dtype, handle}]
  Napi::Value schema(const Info& info);        // () -> JSON: kernels with attributes and defaults
  Napi::Value stats(const Info& info);         // (device) -> counters
  Napi::Value configure(const Info& info);  // ({threads?, isa?, memoryLimit?, cudaLibrary?, resetPeak?, nullCounts?})
  Napi::Value info(const Info& info);       // () -> build and machine
  Napi::Value multiply_add(const Info& info);  // (rounds) -> operations: queues multiply-adds on every thread

  DeviceTensor allocate_from(const Info& info);

  // Runs body and turns a Failure into a JavaScript error with the same code.
  template <class Body>
  static Napi::Value guarded(const Info& info, const Body& body) {
    try {
      if constexpr (!std::is_void_v<decltype(body())>) return body();
      else body();
      return info.Env().Undefined();
    } catch (const Failure& f) {
      throw error_of(info.Env(), f);
    } catch (const std::bad_alloc&) {
      throw error_of(info.Env(), Failure("OUT_OF_MEMORY", "out of memory: the host has none left for the arguments"));
    }
  }
  static Napi::Error error_of(Napi::Env env, const Failure& f);
  friend class QueueWait;

  Runtime runtime_;
};

}  // namespace voxelspark
