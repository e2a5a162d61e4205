// gw[k, t, c] = sum over output voxels v of gy[v, k] * x[v * stride + t - padding, c].
//
// A register tile of gw is a sum of outer products over the voxels of an item; voxels whose source is masked or outside
// are left out of the list. Work is shared out by slots (ranges of items, each with its own sum, added in slot order)
// and units (ranges of taps). Both follow from the shapes alone, so the bits do not depend on the threads.
#pragma once
#include "ops/conv3d/conv3d.h"
#include "ops/conv3d/maps.h"

namespace voxelspark {

int64_t weight_gradient_workspace(const ConvGeometry& g, const Layout& x, const Layout& gy);  // bytes
void weight_gradient(const ConvGeometry& g, const Maps& x, const Tensor& gy, const Tensor& gw, void* workspace);

}  // namespace voxelspark
