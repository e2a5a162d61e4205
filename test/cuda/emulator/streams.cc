#include "streams.h"

#include <cstdio>
#include <cstdlib>
#include <deque>
#include <set>
#include <utility>
#include <vector>

#include "control.h"
#include "streams_inside.h"

// A list of work: what was captured, in its order.
struct emulator_graph {
  std::vector<std::function<void()>> work;
  bool spoiled = false;
};

struct emulator_stream {
  bool of_thread;
  std::deque<std::function<void()>> pending;
  uint64_t put = 0, done = 0;       // pieces of work
  emulator_graph* graph = nullptr;  // that captures it

  explicit emulator_stream(bool of_thread);
  ~emulator_stream();
  void run(uint64_t until) {
    while (done < until) {
      const std::function<void()> work = std::move(pending.front());
      pending.pop_front();
      done++;
      work();
    }
  }
};

// A place in a stream.
struct emulator_event {
  emulator_stream* stream = nullptr;
  uint64_t place = 0;
  bool captured = false;
};

namespace {

// Never destroyed: threads end after static objects.
std::recursive_mutex& mutex() {
  static auto* all = new std::recursive_mutex;
  return *all;
}
std::set<emulator_stream*>& streams() {
  static auto* all = new std::set<emulator_stream*>;
  return *all;
}

bool any_captured() {
  for (emulator_stream* s : streams())
    if (s->graph) return true;
  return false;
}

void run_to(const emulator_event& event) {
  if (event.stream && streams().count(event.stream)) event.stream->run(event.place);
}

}  // namespace

emulator_stream::emulator_stream(bool of_thread) : of_thread(of_thread) {
  std::lock_guard<std::recursive_mutex> lock(mutex());
  streams().insert(this);
}

emulator_stream::~emulator_stream() {
  std::lock_guard<std::recursive_mutex> lock(mutex());
  run(put);
  streams().erase(this);
}

namespace emulator {

static bool unloaded = false;

// As the driver: at the end of the process, after whatever was registered when it was in use.
__attribute__((constructor)) static void watch_exit() {
  std::atexit([] {
    std::lock_guard<std::recursive_mutex> lock(mutex());
    unloaded = true;
  });
}

Runtime::Runtime() : lock_(mutex()) {
  if (!unloaded) return;
  std::fputs("the driver was called after it had left memory\n", stderr);
  std::_Exit(99);
}

static thread_local cudaError_t last_error = cudaSuccess;

cudaError_t Runtime::status() { return emulator::complaint().empty() ? cudaSuccess : cudaErrorLaunchFailure; }

cudaError_t Runtime::failed(cudaError_t error) { return last_error = error; }

cudaError_t Runtime::take_error() {
  const cudaError_t error = std::exchange(last_error, cudaSuccess);
  return status() == cudaSuccess ? error : status();
}

cudaError_t Runtime::refuse_in_capture() {
  emulator_graph* graph = stream_of_thread()->graph;
  if (!graph) return cudaSuccess;
  graph->spoiled = true;
  return failed(cudaErrorStreamCaptureUnsupported);
}

// Of the whole device: spoils every capture.
cudaError_t Runtime::synchronize() {
  for (emulator_stream* s : streams())
    if (s->graph) s->graph->spoiled = true;
  if (any_captured()) return failed(cudaErrorStreamCaptureUnsupported);
  run_all();
  return status();
}

void Runtime::run(cudaStream_t stream) {
  stream = own(stream);
  stream->run(stream->put);
}

void Runtime::run_all() {
  for (emulator_stream* s : streams()) s->run(s->put);
}

cudaStream_t own(cudaStream_t stream) {
  return stream == reinterpret_cast<cudaStream_t>(2) ? stream_of_thread() : stream;
}

// Stays when the thread ends: what ends with it may still use the stream.
cudaStream_t stream_of_thread() {
  thread_local auto* stream = new emulator_stream(true);
  return stream;
}

void enqueue(cudaStream_t stream, std::function<void()> work) {
  Runtime runtime;
  stream = own(stream);
  if (stream->graph) return stream->graph->work.push_back(std::move(work));
  stream->pending.push_back(std::move(work));
  stream->put++;
  const Late late = current_late();
  if (!(stream->of_thread ? late.threads : late.created)) stream->run(stream->put);
}

}  // namespace emulator

using emulator::GraphFailure;
using emulator::Runtime;

// That of a kernel lasts, as on a device; others are told once, to the thread that they came to.
cudaError_t cudaGetLastError() { return Runtime().take_error(); }

cudaError_t cudaStreamCreateWithFlags(cudaStream_t* stream, unsigned) {
  *stream = new emulator_stream(false);
  return cudaSuccess;
}

cudaError_t cudaStreamDestroy(cudaStream_t stream) {
  Runtime runtime;
  delete stream;
  return cudaSuccess;
}

cudaError_t cudaStreamSynchronize(cudaStream_t stream) {
  Runtime runtime;
  if (const cudaError_t refused = runtime.refuse_in_capture()) return refused;
  runtime.run(stream);
  return runtime.status();
}

cudaError_t cudaEventCreateWithFlags(cudaEvent_t* event, unsigned) {
  *event = new emulator_event;
  return cudaSuccess;
}

cudaError_t cudaEventDestroy(cudaEvent_t event) {
  Runtime runtime;
  delete event;
  return cudaSuccess;
}

cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream) {
  Runtime runtime;
  stream = emulator::own(stream);
  *event = {stream, stream->put, stream->graph != nullptr};
  return cudaSuccess;
}

cudaError_t cudaEventSynchronize(cudaEvent_t event) {
  Runtime runtime;
  if (const cudaError_t refused = runtime.refuse_in_capture()) return refused;
  if (event->captured) return cudaErrorStreamCaptureUnsupported;
  run_to(*event);
  return runtime.status();
}

// Waits for the place where the event was recorded last before this call.
cudaError_t cudaStreamWaitEvent(cudaStream_t stream, cudaEvent_t event, unsigned) {
  Runtime runtime;
  stream = emulator::own(stream);
  if (event->captured || stream->graph) {
    if (stream->graph) stream->graph->spoiled = true;
    return cudaErrorStreamCaptureIsolation;
  }
  emulator::enqueue(stream, [at = *event] { run_to(at); });
  return cudaSuccess;
}

cudaError_t cudaStreamBeginCapture(cudaStream_t stream, cudaStreamCaptureMode) {
  Runtime runtime;
  if (runtime.status() != cudaSuccess) return runtime.status();
  stream = emulator::own(stream);
  if (stream->graph || emulator::graph_failure() == GraphFailure::begin)
    return runtime.failed(cudaErrorStreamCaptureUnsupported);
  stream->graph = new emulator_graph;
  return cudaSuccess;
}

cudaError_t cudaStreamEndCapture(cudaStream_t stream, cudaGraph_t* graph) {
  Runtime runtime;
  stream = emulator::own(stream);
  if (!stream->graph) return cudaErrorStreamCaptureUnsupported;
  *graph = std::exchange(stream->graph, nullptr);
  if (!(*graph)->spoiled && emulator::graph_failure() != GraphFailure::capture) return cudaSuccess;
  delete std::exchange(*graph, nullptr);
  return runtime.failed(cudaErrorStreamCaptureInvalidated);
}

cudaError_t cudaGraphInstantiate(cudaGraphExec_t* executable, cudaGraph_t graph, unsigned long long) {
  Runtime runtime;
  if (emulator::graph_failure() == GraphFailure::memory) return runtime.failed(cudaErrorMemoryAllocation);
  *executable = new emulator_graph(*graph);
  return cudaSuccess;
}

cudaError_t cudaGraphLaunch(cudaGraphExec_t executable, cudaStream_t stream) {
  Runtime runtime;
  for (const auto& work : executable->work) emulator::enqueue(stream, work);
  return runtime.status();
}

cudaError_t cudaGraphDestroy(cudaGraph_t graph) {
  delete graph;
  return cudaSuccess;
}

// What was launched runs to its end: its work was copied.
cudaError_t cudaGraphExecDestroy(cudaGraphExec_t executable) { return cudaGraphDestroy(executable); }
