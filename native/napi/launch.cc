// Any kernel of the registry from JavaScript: attributes by name, shapes inferred, memory from the pool, the kernel
// itself queued. Everything that can be wrong with a call is thrown here, synchronously and before any effect.
#include <cstring>
#include <sstream>

#include "napi/addon.h"
#include "ops/registry.h"

namespace voxelspark {

class AttributeReader : public FieldVisitor {
 public:
  AttributeReader(Napi::Object from, Runtime& runtime) : from_(from), runtime_(runtime) {}

  void field(const char* name, int64_t& v) override { read(name, [&](auto x) { v = integer_of(x, name); }); }
  void field(const char* name, double& v) override { read(name, [&](auto x) { v = number_of(x, name); }); }
  void field(const char* name, Int3& v) override { read(name, [&](auto x) { v = int3_of(x, name); }); }
  void field(const char* name, bool& v) override {
    read(name, [&](Napi::Value x) {
      require(x.IsBoolean(), "TYPE", std::string(name) + " must be true or false");
      v = x.As<Napi::Boolean>();
    });
  }
  void field(const char* name, std::vector<double>& v) override {
    read(name, [&](auto x) {
      Napi::Array a = array_of(x, name);
      v.clear();
      for (uint32_t i = 0; i < a.Length(); i++) v.push_back(number_of(a.Get(i), name));
    });
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

class SchemaWriter : public FieldVisitor {
 public:
  SchemaWriter(Napi::Env env) : object(Napi::Object::New(env)) {}
  void field(const char* name, int64_t& v) override { put(name, "integer", std::to_string(v)); }
  void field(const char* name, double& v) override {
    std::ostringstream text;
    text << v;
    put(name, "number", text.str());
  }
  void field(const char* name, bool& v) override { put(name, "boolean", v ? "true" : "false"); }
  void field(const char* name, Int3& v) override {
    put(name, "triple", "[" + std::to_string(v.z) + ", " + std::to_string(v.y) + ", " + std::to_string(v.x) + "]");
  }
  void field(const char* name, std::vector<double>&) override { put(name, "numbers", "[]"); }
  void field(const char* name, std::shared_ptr<const BlockGrid>&) override { put(name, "mask", "undefined"); }

  Napi::Object object;

 private:
  void put(const char* name, const char* type, const std::string& fallback) {
    Napi::Object entry = Napi::Object::New(object.Env());
    entry.Set("type", type);
    entry.Set("default", fallback);
    object.Set(name, entry);
  }
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

// Signature words such as "x weight bias?" against what was given.
static void check_inputs(const KernelEntry& entry, const Inputs& inputs) {
  std::istringstream words(entry.inputs);
  std::string word;
  size_t i = 0;
  for (; words >> word; i++) {
    if (word.back() == '*') return;
    require(word.back() == '?' || present(inputs, i), "TYPE",
            std::string(entry.name) + ": input '" + word + "' is missing");
  }
  require(inputs.size() <= i, "TYPE",
          std::string(entry.name) + " takes " + std::to_string(i) + " inputs, got " + std::to_string(inputs.size()));
}

Napi::Value Addon::launch(const Info& info) {
  return guarded(info, [&]() -> Napi::Value {
    const int64_t id = integer_of(info[0], "kernel");
    require(id >= 0 && id < kKernels, "RANGE", "kernel is " + std::to_string(id) + ", there are " + std::to_string(kKernels));
    const KernelEntry& entry = kernel_table[id];
    Napi::Array handles = array_of(info[1], "inputs");
    require(info[2].IsObject(), "TYPE", "attributes must be an object");

    Launch work;
    const DeviceTensor* first = nullptr;
    for (uint32_t i = 0; i < handles.Length(); i++) {
      const double handle = number_of(handles.Get(i), "input");
      if (handle == 0) {
        work.inputs.push_back(absent_tensor());
        continue;
      }
      const DeviceTensor& t = runtime_.tensors.get(handle, (std::string("an input of ") + entry.name).c_str());
      if (!first) first = &t;
      require(t.device == first->device && t.tensor.layout.dtype == first->tensor.layout.dtype, "DEVICE",
              std::string(entry.name) + ": inputs must be of one device and one dtype");
      work.inputs.push_back(t.tensor);
    }
    require(first, "TYPE", std::string(entry.name) + " needs at least one tensor");
    const DeviceKind device = first->device;
    check_inputs(entry, work.inputs);

    std::shared_ptr<Descriptor> descriptor = entry.make();
    AttributeReader reader(info[2].As<Napi::Object>(), runtime_);
    descriptor->fields(reader);
    const Layouts layouts = descriptor->infer(work.inputs);
    const Kernel kernel = kernel_for(entry, device);

    std::vector<DeviceTensor> outputs;
    const int64_t workspace = descriptor->workspace(work.inputs);
    try {
      for (const Layout& layout : layouts) outputs.push_back(runtime_.allocate(device, layout));
      if (workspace) work.workspace = runtime_.pool(device).allocate(workspace);
    } catch (...) {
      for (const DeviceTensor& t : outputs) runtime_.release(t);
      throw;
    }
    for (const DeviceTensor& t : outputs) work.outputs.push_back(t.tensor);
    void* scratch = work.workspace;
    if (device != DeviceKind::null)
      runtime_.queue.submit([kernel, descriptor, work = std::move(work)] { kernel(*descriptor, work); });
    if (scratch) runtime_.pool(device).release(scratch);  // in launch order, so the kernel still has it

    Napi::Array result = Napi::Array::New(info.Env());
    for (size_t i = 0; i < outputs.size(); i++) {
      const Shape& s = outputs[i].tensor.layout.shape;
      Napi::Array shape = Napi::Array::New(info.Env());
      for (int k = 0; k < s.rank; k++) shape.Set(k, static_cast<double>(s[k]));
      Napi::Object entry = Napi::Object::New(info.Env());
      entry.Set("shape", shape);
      entry.Set("masked", outputs[i].tensor.layout.grid != nullptr);
      entry.Set("handle", runtime_.tensors.add(outputs[i]));
      result.Set(static_cast<uint32_t>(i), entry);
    }
    return result;
  });
}

Napi::Value Addon::schema(const Info& info) {
  Napi::Array list = Napi::Array::New(info.Env());
  for (int i = 0; i < kKernels; i++) {
    SchemaWriter writer(info.Env());
    kernel_table[i].make()->fields(writer);
    Napi::Object entry = Napi::Object::New(info.Env());
    entry.Set("name", kernel_table[i].name);
    entry.Set("inputs", kernel_table[i].inputs);
    entry.Set("outputs", kernel_table[i].outputs);
    entry.Set("attributes", writer.object);
    list.Set(i, entry);
  }
  return list;
}

}  // namespace voxelspark
