// The table that ops.def expands into.
#pragma once
#include "ops/kernel.h"

namespace voxelspark {

struct KernelEntry {
  const char* name;
  const char* inputs;
  const char* outputs;
  std::unique_ptr<Descriptor> (*make)();
  Kernel cpu;
  Kernel reference;
};

constexpr int kKernels = 0
#define KERNEL(name, inputs, outputs) +1
#include "ops/ops.def"
#undef KERNEL
    ;

extern const KernelEntry kernel_table[kKernels];

// Whether the inputs are those of the signature, and of element types that go together.
void check_inputs(const KernelEntry& entry, const Inputs& inputs);

}  // namespace voxelspark
