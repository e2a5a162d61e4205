// What a thread launches as a CUDA graph: captured once, then launched as a whole.
#pragma once
#include <string>

namespace voxelspark {

// From `begin_capture` to `end_capture` nothing that the thread launches runs; all of it becomes the graph. Kernels
// keep the arguments of that time, addresses among them. A capture that fails has had no effect.
void begin_capture();
void* end_capture();
void abort_capture();
void launch_graph(void* graph);
void free_graph(void* graph);  // also one that still runs

bool capturing();
// What a graph cannot hold, because it would repeat the values of the capture.
void refuse_in_capture(const char* what);

}  // namespace voxelspark
