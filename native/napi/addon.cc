#include "napi/addon.h"

#include <omp.h>

#include "device/isa.h"

namespace voxelspark {

Addon::Addon(Napi::Env, Napi::Object exports) {
  DefineAddon(exports, {
                           InstanceMethod("createGrid", &Addon::create_grid),
                           InstanceMethod("disposeGrid", &Addon::dispose_grid),
                           InstanceMethod("upload", &Addon::upload),
                           InstanceMethod("fill", &Addon::fill),
                           InstanceMethod("dispose", &Addon::dispose),
                           InstanceMethod("read", &Addon::read),
                           InstanceMethod("write", &Addon::write),
                           InstanceMethod("sync", &Addon::sync),
                           InstanceMethod("launch", &Addon::launch),
                           InstanceMethod("schema", &Addon::schema),
                           InstanceMethod("stats", &Addon::stats),
                           InstanceMethod("configure", &Addon::configure),
                           InstanceMethod("info", &Addon::info),
                       });
}

Napi::Error Addon::error_of(Napi::Env env, const Failure& f) {
  Napi::Error error = Napi::Error::New(env, f.what());
  error.Set("code", Napi::String::New(env, std::string("ERR_VOXELSPARK_") + f.code));
  return error;
}

Napi::Value Addon::stats(const Info& info) {
  return guarded(info, [&]() -> Napi::Value {
    const DeviceKind device = device_of(info[0]);
    Napi::Object o = Napi::Object::New(info.Env());
    const bool used = device != DeviceKind::cuda || cuda_backend();
    o.Set("liveBytes", used ? static_cast<double>(runtime_.pool(device).live_bytes()) : 0);
    o.Set("cachedBytes", used ? static_cast<double>(runtime_.pool(device).cached_bytes()) : 0);
    o.Set("peakBytes", used ? static_cast<double>(runtime_.pool(device).peak_bytes()) : 0);
    o.Set("liveTensors", static_cast<double>(runtime_.tensors.live()));
    o.Set("liveMasks", static_cast<double>(runtime_.grids.live()));
    return o;
  });
}

static Isa isa_of(const std::string& name) {
  for (Isa isa : {Isa::scalar, Isa::avx2, Isa::avx512})
    if (name == name_of(isa)) {
      require(isa <= best_isa(), "RANGE", "isa is " + name + ", this processor has at most " + name_of(best_isa()));
      return isa;
    }
  throw Failure("RANGE", "isa is " + name + ", allowed are scalar, avx2 and avx512");
}

Napi::Value Addon::configure(const Info& info) {
  return guarded(info, [&]() -> Napi::Value {
    require(info[0].IsObject(), "TYPE", "configure() takes an object");
    Napi::Object o = info[0].As<Napi::Object>();
    if (o.Has("threads")) {
      const int64_t n = integer_of(o.Get("threads"), "threads");
      require(n >= 1 && n <= 1024, "RANGE", "threads is " + std::to_string(n) + ", allowed are 1 to 1024");
      runtime_.threads = static_cast<int>(n);
      runtime_.queue.submit([n] { omp_set_num_threads(static_cast<int>(n)); });
    }
    if (o.Has("isa")) {
      const Isa isa = isa_of(o.Get("isa").ToString());
      runtime_.queue.submit([isa] { set_isa(isa); });
    }
    if (o.Has("memoryLimit"))
      for (DeviceKind d : {DeviceKind::cpu, DeviceKind::reference, DeviceKind::null})
        runtime_.pool(d).set_limit(integer_of(o.Get("memoryLimit"), "memoryLimit"));
    if (o.Has("cudaLibrary")) open_cuda(o.Get("cudaLibrary").ToString());
    if (o.Has("resetPeak")) runtime_.pool(device_of(o.Get("resetPeak"))).reset_peak();
    return info.Env().Undefined();
  });
}

Napi::Value Addon::info(const Info& info) {
  Napi::Env env = info.Env();
  Napi::Object o = Napi::Object::New(env), cuda = Napi::Object::New(env);
  o.Set("isa", name_of(active_isa()));
  o.Set("bestIsa", name_of(best_isa()));
  o.Set("threads", runtime_.threads);
  o.Set("compiler", __VERSION__);
  const CudaBackend* backend = cuda_backend();
  const int devices = backend ? backend->device_count() : 0;
  cuda.Set("built", backend != nullptr);
  cuda.Set("deviceCount", devices);
  cuda.Set("reason", cuda_reason());
  Napi::Array names = Napi::Array::New(env);
  for (int i = 0; i < devices; i++) names.Set(i, backend->device_name(i));
  cuda.Set("devices", names);
  o.Set("cuda", cuda);
  return o;
}

}  // namespace voxelspark

using VoxelsparkAddon = voxelspark::Addon;
NODE_API_ADDON(VoxelsparkAddon)
