// Threads of the CPU device. Work is cut into items whose number and size follow from shapes alone; threads take
// items in any order, never parts of a sum, so results have the same bits for any number of threads.
#pragma once
#include <omp.h>

#include <cstdint>

namespace voxelspark {

template <class Body>
void parallel_for(int64_t items, const Body& body) {
  if (items <= 1 || omp_get_max_threads() == 1) {
    for (int64_t i = 0; i < items; i++) body(i);
    return;
  }
#pragma omp parallel for schedule(dynamic, 1)
  for (int64_t i = 0; i < items; i++) body(i);
}

// Ranges [begin, end) of at most `grain` elements.
template <class Body>
void parallel_ranges(int64_t elements, int64_t grain, const Body& body) {
  parallel_for((elements + grain - 1) / grain, [&](int64_t i) {
    const int64_t begin = i * grain, end = begin + grain < elements ? begin + grain : elements;
    body(begin, end);
  });
}

// Items of about `elements` each, grouped until a group is worth waking a thread for.
template <class Body>
void parallel_items(int64_t items, int64_t elements, const Body& body) {
  constexpr int64_t kWorthwhile = 1 << 14;
  const int64_t grain = elements > 0 && elements < kWorthwhile ? kWorthwhile / elements : 1;
  parallel_ranges(items, grain, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; i++) body(i);
  });
}

}  // namespace voxelspark
