// For the list of launches: an op says its name and its tensors before its kernels are listed.
#pragma once
#include "launches.h"
#include "ops/kernel.h"

namespace emulator {

inline std::string text_of(const voxelspark::Tensor& t) {
  if (t.layout.shape.rank < 0) return "-";
  std::string text;
  for (int i = 0; i < t.layout.shape.rank; i++) text += (i ? "x" : "") + std::to_string(t.layout.shape.dims[i]);
  return text + ":" + std::to_string(t.layout.bytes()) + (t.layout.grid ? ":sparse" : ":dense");
}

struct OpFields : voxelspark::FieldVisitor {
  std::string text;
  void field(const char* name, int64_t& v) override { put(name, std::to_string(v)); }
  void field(const char* name, double& v) override { put(name, std::to_string(v)); }
  void field(const char* name, bool& v) override { put(name, v ? "true" : "false"); }
  void field(const char* name, voxelspark::Int3& v) override {
    put(name, std::to_string(v.z) + "x" + std::to_string(v.y) + "x" + std::to_string(v.x));
  }
  void field(const char*, std::vector<double>&) override {}
  void field(const char*, std::shared_ptr<const voxelspark::BlockGrid>&) override {}

 private:
  void put(const char* name, const std::string& value) { text += std::string(name) + "=" + value + " "; }
};

template <void (*kernel)(const voxelspark::Descriptor&, const voxelspark::Launch&)>
struct Listed {
  static const char*& name() {
    static const char* own = "";
    return own;
  }
  static void run(const voxelspark::Descriptor& descriptor, const voxelspark::Launch& launch) {
    if (lists_launches()) {
      OpFields fields;
      const_cast<voxelspark::Descriptor&>(descriptor).fields(fields);  // a visitor may write, this one does not
      std::string line = std::string("op\t") + name() + "\t";
      for (const auto& t : launch.inputs) line += text_of(t) + " ";
      line += "\t";
      for (const auto& t : launch.outputs) line += text_of(t) + " ";
      list_line(line + "\t" + fields.text);
    }
    kernel(descriptor, launch);
  }
};

template <void (*kernel)(const voxelspark::Descriptor&, const voxelspark::Launch&)>
void* listed(const char* name) {
  if (!kernel) return nullptr;
  Listed<kernel>::name() = name;
  return reinterpret_cast<void*>(Listed<kernel>::run);
}

}  // namespace emulator
