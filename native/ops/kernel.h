// What an op is made of: a descriptor (attributes as a field list, shape inference, workspace) and one kernel per
// backend. See ops.def for the registry and CONTRIBUTING.md for how an op is added.
#pragma once
#include <memory>
#include <vector>

#include "core/status.h"
#include "core/tensor.h"

namespace voxelspark {

// Walks the attributes of a descriptor: reads them from JavaScript, or writes the schema.
class FieldVisitor {
 public:
  virtual ~FieldVisitor() = default;
  virtual void field(const char* name, int64_t& value) = 0;
  virtual void field(const char* name, double& value) = 0;
  virtual void field(const char* name, bool& value) = 0;
  virtual void field(const char* name, Int3& value) = 0;
  virtual void field(const char* name, std::vector<double>& value) = 0;
  virtual void field(const char* name, std::shared_ptr<const BlockGrid>& value) = 0;
};

using Inputs = std::vector<Tensor>;
using Layouts = std::vector<Layout>;

inline bool present(const Inputs& in, size_t i) { return i < in.size() && in[i].layout.shape.rank >= 0; }
inline Tensor absent_tensor() {
  Tensor t;
  t.layout.shape.rank = -1;
  return t;
}

struct Descriptor {
  virtual ~Descriptor() = default;
  virtual void fields(FieldVisitor& v) = 0;
  // Layouts of the outputs, or a Failure whose sentence says what is wrong. Kernels rely on these checks.
  virtual Layouts infer(const Inputs& in) const = 0;
  virtual int64_t workspace(const Inputs&) const { return 0; }       // bytes, of the CPU
  virtual int64_t cuda_workspace(const Inputs&) const { return 0; }  // bytes of the device
};

struct Launch {
  Inputs inputs;
  std::vector<Tensor> outputs;
  void* workspace = nullptr;
};

using Kernel = void (*)(const Descriptor&, const Launch&);

template <class D>
const D& as(const Descriptor& d) {
  return static_cast<const D&>(d);
}

// Runs body.template operator()<T>() style lambdas: `by_dtype(type, [&](auto zero) { using T = decltype(zero); … })`.
template <class Body>
void by_dtype(DType type, const Body& body) {
  if (type == DType::float64) body(double{});
  else body(float{});
}

}  // namespace voxelspark

// In the op's cpu.cc: lets the registry make descriptors of kernel `name`.
#define DEFINE_KERNEL(name, D) \
  std::unique_ptr<Descriptor> make_##name() { return std::make_unique<D>(); }
