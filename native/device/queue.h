// The one compute queue of a runtime: launches run in order on a thread of their own, which is also the only OpenMP
// master, so two thread teams never compete. The first failure is kept and reported to the next one who waits.
#pragma once
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>
#include <optional>
#include <thread>

#include "core/status.h"

namespace voxelspark {

class Queue {
 public:
  Queue();
  ~Queue();  // as `cancel`, then joins

  // Returns the job's ticket.
  uint64_t submit(std::function<void()> job);
  // Blocks until the ticket's job has run; may be called from any thread but the queue's own.
  void wait(uint64_t ticket);
  void wait_idle() { wait(submitted()); }
  uint64_t submitted() const;
  // Drops the jobs that have not begun and waits for the one that has. Nobody may be waiting for a ticket.
  void cancel();
  // From now on no job of any queue begins. Waits for those that run, though not for ever. For the end of the process,
  // before the driver of a device leaves memory.
  static void halt_all();
  // The first failure since the last call, if any.
  std::optional<Failure> take_failure();

 private:
  void run();

  mutable std::mutex mutex_;
  std::condition_variable wake_, done_;
  std::deque<std::function<void()>> jobs_;
  uint64_t submitted_ = 0, finished_ = 0;
  bool stop_ = false;
  std::optional<Failure> failure_;
  std::thread thread_;
};

}  // namespace voxelspark
