#include "ops/registry.h"

namespace voxelspark {

#define KERNEL(name, inputs, outputs)                \
  std::unique_ptr<Descriptor> make_##name();         \
  void name##_cpu(const Descriptor&, const Launch&); \
  void name##_reference(const Descriptor&, const Launch&);
#include "ops/ops.def"
#undef KERNEL

const KernelEntry kernel_table[kKernels] = {
#define KERNEL(name, inputs, outputs) {#name, inputs, outputs, make_##name, name##_cpu, name##_reference},
#include "ops/ops.def"
#undef KERNEL
};

}  // namespace voxelspark
