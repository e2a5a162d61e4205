#include "device/cuda.cuh"
#include "device/cuda_graph.cuh"

namespace voxelspark {

static thread_local bool in_capture = false;

static constexpr const char* kCure = "; train with \"cudaGraph\": false in the plan, or on device 'cpu'";

static void check_graph(cudaError_t status, const char* what) {
  if (status == cudaSuccess) return;
  const char* cure = cure_of(status);
  throw failure_of(status, what, *cure && status != cudaErrorMemoryAllocation ? cure : kCure);
}

// Relaxed: what must not be captured is refused here, and a device that loads a kernel late must not be kept from it.
void begin_capture() {
  check_graph(cudaStreamBeginCapture(cudaStreamPerThread, cudaStreamCaptureModeRelaxed),
              "beginning to capture a step in a CUDA graph");
  in_capture = true;
}

static cudaGraph_t stop_capture(cudaError_t& status) {
  cudaGraph_t graph = nullptr;
  in_capture = false;
  status = cudaStreamEndCapture(cudaStreamPerThread, &graph);
  return graph;
}

void* end_capture() {
  cudaError_t status;
  cudaGraph_t graph = stop_capture(status);
  check_graph(status, "capturing a step in a CUDA graph");
  cudaGraphExec_t executable = nullptr;
  status = cudaGraphInstantiate(&executable, graph, 0);
  cudaGraphDestroy(graph);
  check_graph(status, "instantiating the CUDA graph of a step");
  return executable;
}

void abort_capture() {
  if (!in_capture) return;
  cudaError_t status;
  if (cudaGraph_t graph = stop_capture(status)) cudaGraphDestroy(graph);
  cudaGetLastError();
}

void launch_graph(void* graph) {
  check_graph(cudaGraphLaunch(static_cast<cudaGraphExec_t>(graph), cudaStreamPerThread),
              "launching the CUDA graph of a step");
}

// One that runs is freed by the driver when it has run; no wait on the thread at hand could know.
void free_graph(void* graph) { cudaGraphExecDestroy(static_cast<cudaGraphExec_t>(graph)); }

bool capturing() { return in_capture; }

void refuse_in_capture(const char* what) {
  if (in_capture) throw Failure("DEVICE", std::string(what) + " cannot be captured in a CUDA graph" + kCure);
}

}  // namespace voxelspark
