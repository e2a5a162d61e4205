// Streams and events as objects. What is destroyed when a thread or the process ends ignores errors: the driver may be
// gone before it.
#pragma once
#include "device/cuda.cuh"

namespace voxelspark {

class Event {
 public:
  Event() { check_cuda(cudaEventCreateWithFlags(&event_, cudaEventDisableTiming), "making an event"); }
  ~Event() { cudaEventDestroy(event_); }
  Event(const Event&) = delete;
  Event& operator=(const Event&) = delete;

  // Happens when everything queued in the stream so far has run; one that was never recorded has happened.
  void record(cudaStream_t stream) { check_cuda(cudaEventRecord(event_, stream), "recording an event"); }
  // Work queued in the stream from now on waits for the event.
  void hold(cudaStream_t stream) const { check_cuda(cudaStreamWaitEvent(stream, event_), "waiting for an event"); }
  void wait() const { check_cuda(cudaEventSynchronize(event_), "a kernel or a copy"); }

 private:
  cudaEvent_t event_;
};

class Stream {
 public:
  Stream() { check_cuda(cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking), "making a stream"); }
  ~Stream() { cudaStreamDestroy(stream_); }
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;
  operator cudaStream_t() const { return stream_; }

 private:
  cudaStream_t stream_;
};

}  // namespace voxelspark
