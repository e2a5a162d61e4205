// Between the order of JavaScript, (N, C, D, H, W) with masked voxels, and storage order (core/tensor.h). Both sides in
// host memory; the stored one of the layout's dtype, the dense one of host_of(dtype).
#pragma once
#include "core/tensor.h"

namespace voxelspark {

void to_storage(const Layout& layout, const void* dense, void* stored);
void from_storage(const Layout& layout, const void* stored, void* dense);  // masked voxels are left alone
void fill_storage(const Layout& layout, double value, void* stored);

}  // namespace voxelspark
