#pragma once
#include "device/isa.h"
#include "ops/resample/row.h"

namespace voxelspark {

DECLARE_SIMD(label_row, void, (const AffineRow&))

}  // namespace voxelspark
