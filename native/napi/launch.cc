// Any kernel of the registry from JavaScript: attributes by name, shapes inferred, memory from the pool, the kernel
// itself queued. Everything that can be wrong with a call is thrown here, synchronously and before any effect.
#include "napi/addon.h"
#include "ops/registry.h"
#include "ops/schema.h"

namespace voxelspark {

class AttributeReader : public FieldVisitor {
 public:
  AttributeReader(Napi::Object from, Runtime& runtime) : from_(from), runtime_(runtime) {}

  void field(const char* name, int64_t& v) override {
    read(name, [&](auto x) { v = integer_of(x, name); });
  }
  void field(const char* name, double& v) override {
    read(name, [&](auto x) { v = number_of(x, name); });
  }
  void field(const char* name, Int3& v) override {
    read(name, [&](auto x) { v = int3_of(x, name); });
  }
  void field(const char* name, bool& v) override {
    read(name, [&](Napi::Value x) {
      require(x.IsBoolean(), "TYPE", std::string(name) + " must be true or false");
      v = x.As<Napi::Boolean>();
    });
  }
  void field(const char* name, std::vector<double>& v) override {
    read(name, [&](auto x) { v = numbers_of(x, name); });
  }
  void field(const char* name, std::shared_ptr<const BlockGrid>& v) override {
    read(name, [&](auto x) {
      if (number_of(x, name) != 0) v = runtime_.grids.get(number_of(x, name), "the mask");
    });
  }

 private:
  template <class Set>
  void read(const char* name, const Set& set) {
    Napi::Value v = from_.Get(name);
    if (!v.IsUndefined()) set(v);
  }
  Napi::Object from_;
  Runtime& runtime_;
};

static Kernel kernel_for(const KernelEntry& entry, DeviceKind device) {
  switch (device) {
    case DeviceKind::cpu: return entry.cpu;
    case DeviceKind::reference: return entry.reference;
    case DeviceKind::null: return entry.cpu;  // never run
    case DeviceKind::cuda: break;
  }
  backend_of(device);  // throws when there is no device
  auto kernel = reinterpret_cast<Kernel>(cuda_backend()->find_kernel(entry.name));
  require(kernel, "DEVICE", std::string("the CUDA backend has no kernel '") + entry.name + "' yet; use device 'cpu'");
  return kernel;
}

// The tensors of the handles, and the one device that all are on.
static DeviceKind look_up(Runtime& runtime, const char* kernel, const std::vector<double>& handles, Inputs& to) {
  const DeviceTensor* first = nullptr;
  for (const double handle : handles) {
    if (handle == 0) {
      to.push_back(absent_tensor());
      continue;
    }
    const DeviceTensor& t = runtime.tensors.get(handle, (std::string("an input of ") + kernel).c_str());
    if (!first) first = &t;
    require(t.device == first->device, "DEVICE", std::string(kernel) + ": inputs must be of one device");
    to.push_back(t.tensor);
  }
  require(first, "TYPE", std::string(kernel) + " needs at least one tensor");
  return first->device;
}

static Napi::Object described(Napi::Env env, const Layout& layout, double handle) {
  Napi::Array shape = Napi::Array::New(env);
  for (int k = 0; k < layout.shape.rank; k++) shape.Set(k, static_cast<double>(layout.shape[k]));
  Napi::Object tensor = Napi::Object::New(env);
  tensor.Set("shape", shape);
  tensor.Set("masked", layout.grid != nullptr);
  tensor.Set("dtype", static_cast<int>(layout.dtype));
  tensor.Set("handle", handle);
  return tensor;
}

Napi::Value Addon::launch(const Info& info) {
  return guarded(info, [&]() -> Napi::Value {
    const int64_t id = integer_of(info[0], "kernel");
    require(id >= 0 && id < kKernels, "RANGE",
            "kernel is " + std::to_string(id) + ", there are " + std::to_string(kKernels));
    const KernelEntry& entry = kernel_table[id];
    // Arguments are read before any tensor is looked up: a getter may run code that disposes or makes some.
    const std::vector<double> handles = numbers_of(info[1], "inputs");
    require(info[2].IsObject(), "TYPE", "attributes must be an object");
    std::shared_ptr<Descriptor> descriptor = entry.make();
    AttributeReader reader(info[2].As<Napi::Object>(), runtime_);
    descriptor->fields(reader);

    Launch work;
    const DeviceKind device = look_up(runtime_, entry.name, handles, work.inputs);
    if (device != DeviceKind::cuda) runtime_.refuse_in_step("a kernel of another device");
    check_inputs(entry, work.inputs);
    const Layouts layouts = descriptor->infer(work.inputs);
    const Kernel kernel = kernel_for(entry, device);

    const bool cuda = (device == DeviceKind::null ? runtime_.null_counts : device) == DeviceKind::cuda;
    const int64_t workspace = cuda ? descriptor->cuda_workspace(work.inputs) : descriptor->workspace(work.inputs);
    const KernelMemory memory = runtime_.allocate(device, layouts, workspace);
    for (const DeviceTensor& t : memory.outputs) work.outputs.push_back(t.tensor);
    work.workspace = memory.workspace;
    if (device != DeviceKind::null)
      runtime_.submit([this, name = entry.name, kernel, descriptor, work = std::move(work)] {
        runtime_.profile.time(name, [&] { kernel(*descriptor, work); });
      });
    if (memory.workspace)
      runtime_.pool(device).release(memory.workspace);  // in launch order, so the kernel still has it

    Napi::Array result = Napi::Array::New(info.Env());
    for (const DeviceTensor& t : memory.outputs)
      result.Set(result.Length(), described(info.Env(), t.tensor.layout, runtime_.tensors.add(t)));
    return result;
  });
}

Napi::Value Addon::schema(const Info& info) { return Napi::String::New(info.Env(), schema_json()); }

}  // namespace voxelspark
