// Maps every line of a volume along one axis by a banded matrix; see band.h.
#pragma once
#include "device/cuda_upload.cuh"
#include "ops/resample/cuda_plan.h"

namespace voxelspark {

struct ApplyBand {
  int64_t inner, rows, columns, width;
  const int32_t* first;
  const float *weight, *from;
  float* to;

  __device__ void operator()(int64_t i) const {
    const int64_t line = quotient(i, inner), outer = quotient(line, rows), row = line - outer * rows;
    const float* in = from + (outer * columns + first[row]) * inner + (i - line * inner);
    const float* w = weight + row * width;
    float sum = 0;
    for (int64_t t = 0; t < width; t++) sum = fmaf(w[t], in[t * inner], sum);
    to[i] = sum;
  }
};

// `lines` are those of `from`.
inline void apply_band(const Band& band, const BandParts& memory, const Lines& lines, const float* from, float* to,
                       const char* what) {
  upload(band.first, memory.first, what);
  upload(band.weight, memory.weight, what);
  const ApplyBand body{lines.inner, band.rows, band.columns, band.width, memory.first, memory.weight, from, to};
  launch_elementwise(lines.outer * band.rows * lines.inner, body, what);
}

}  // namespace voxelspark
