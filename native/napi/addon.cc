#include "napi/addon.h"

#include <omp.h>

#include "device/fma.h"
#include "device/isa.h"
#include "ops/registry.h"

namespace voxelspark {

Addon::Addon(Napi::Env, Napi::Object exports) {
  DefineAddon(exports, {
                           InstanceMethod("createGrid", &Addon::create_grid),
                           InstanceMethod("writeGrid", &Addon::write_grid),
                           InstanceMethod("disposeGrid", &Addon::dispose_grid),
                           InstanceMethod("upload", &Addon::upload),
                           InstanceMethod("fill", &Addon::fill),
                           InstanceMethod("dispose", &Addon::dispose),
                           InstanceMethod("read", &Addon::read),
                           InstanceMethod("write", &Addon::write),
                           InstanceMethod("sync", &Addon::sync),
                           InstanceMethod("beginStep", &Addon::begin_step),
                           InstanceMethod("endStep", &Addon::end_step),
                           InstanceMethod("launchStep", &Addon::launch_step),
                           InstanceMethod("disposeStep", &Addon::dispose_step),
                           InstanceMethod("launch", &Addon::launch),
                           InstanceMethod("schema", &Addon::schema),
                           InstanceMethod("stats", &Addon::stats),
                           InstanceMethod("configure", &Addon::configure),
                           InstanceMethod("info", &Addon::info),
                           InstanceMethod("multiplyAdd", &Addon::multiply_add),
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
    const bool used = runtime_.has_pool(device);
    o.Set("liveBytes", used ? static_cast<double>(runtime_.pool(device).live_bytes()) : 0);
    o.Set("cachedBytes", used ? static_cast<double>(runtime_.pool(device).cached_bytes()) : 0);
    o.Set("peakBytes", used ? static_cast<double>(runtime_.pool(device).peak_bytes()) : 0);
    o.Set("liveTensors", static_cast<double>(runtime_.tensors.live()));
    o.Set("liveMasks", static_cast<double>(runtime_.grids.live()));
    return o;
  });
}

// Reads and checks every option before the first one takes effect.
Napi::Value Addon::configure(const Info& info) {
  return guarded(info, [&] {
    require(info[0].IsObject(), "TYPE", "configure() takes an object");
    const auto o = info[0].As<Napi::Object>();
    const Napi::Value threads = o.Get("threads"), isa = o.Get("isa"), limit = o.Get("memoryLimit"),
                      library = o.Get("cudaLibrary"), peak = o.Get("resetPeak"), counts = o.Get("nullCounts");
    const int64_t n = threads.IsUndefined() ? 0 : integer_of(threads, "threads");
    require(threads.IsUndefined() || (n >= 1 && n <= 1024), "RANGE",
            "threads is " + std::to_string(n) + ", allowed are 1 to 1024");
    const Isa set = isa.IsUndefined() ? active_isa() : isa_of(text_of(isa, "isa").c_str());
    const int64_t bytes = limit.IsUndefined() ? 0 : integer_of(limit, "memoryLimit");
    require(bytes >= 0, "RANGE", "memoryLimit is " + std::to_string(bytes) + ", allowed are 0 (none) and more");
    const std::string path = library.IsUndefined() ? "" : text_of(library, "cudaLibrary");
    const DeviceKind counted = counts.IsUndefined() ? runtime_.null_counts : device_of(counts);
    const DeviceKind measured = peak.IsUndefined() ? DeviceKind::cuda : device_of(peak);

    if (n) {
      runtime_.threads = static_cast<int>(n);
      runtime_.queue.submit([n] { omp_set_num_threads(static_cast<int>(n)); });
    }
    if (!isa.IsUndefined()) runtime_.queue.submit([set] { set_isa(set); });
    for (DeviceKind d : {DeviceKind::cpu, DeviceKind::reference})
      if (!limit.IsUndefined()) runtime_.pool(d).set_limit(bytes);
    if (!path.empty()) open_cuda(path);
    runtime_.null_counts = counted;
    if (!peak.IsUndefined() && runtime_.has_pool(measured)) runtime_.pool(measured).reset_peak();
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
  Napi::Array missing = Napi::Array::New(env);
  for (const KernelEntry& kernel : kernel_table)
    if (!backend || !backend->find_kernel(kernel.name)) missing.Set(missing.Length(), kernel.name);
  cuda.Set("missingKernels", missing);
  o.Set("cuda", cuda);
  return o;
}

Napi::Value Addon::multiply_add(const Info& info) {
  return guarded(info, [&]() -> Napi::Value {
    const int64_t rounds = integer_of(info[0], "rounds");
    require(rounds >= 1 && rounds <= 1 << 30, "RANGE", "rounds is " + std::to_string(rounds) + ", allowed: 1 to 2^30");
    runtime_.queue.submit([rounds] { voxelspark::multiply_add(rounds); });
    return Napi::Number::New(info.Env(), multiply_add_operations(rounds, runtime_.threads));
  });
}

}  // namespace voxelspark

using VoxelsparkAddon = voxelspark::Addon;
NODE_API_ADDON(VoxelsparkAddon)
