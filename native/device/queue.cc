#include "device/queue.h"

#include <chrono>
#include <shared_mutex>

namespace voxelspark {

// Jobs share it, the end of the process takes it. Never destroyed: threads outlive static objects.
static std::shared_timed_mutex& gate() {
  static auto* only = new std::shared_timed_mutex;
  return *only;
}

void Queue::halt_all() {
  (void)gate().try_lock_for(std::chrono::seconds(5));  // a job that hangs must not keep the process
}

Queue::Queue() : thread_([this] { run(); }) {}

Queue::~Queue() {
  cancel();
  {
    std::lock_guard<std::mutex> lock(mutex_);
    stop_ = true;
  }
  wake_.notify_one();
  thread_.join();
}

uint64_t Queue::submit(std::function<void()> job) {
  std::unique_lock<std::mutex> lock(mutex_);
  jobs_.push_back(std::move(job));
  const uint64_t ticket = ++submitted_;
  lock.unlock();
  wake_.notify_one();
  return ticket;
}

void Queue::wait(uint64_t ticket) {
  std::unique_lock<std::mutex> lock(mutex_);
  done_.wait(lock, [&] { return finished_ >= ticket; });
}

void Queue::cancel() {
  std::deque<std::function<void()>> dropped;
  {
    std::lock_guard<std::mutex> lock(mutex_);
    dropped.swap(jobs_);
    submitted_ -= dropped.size();
  }
  wait_idle();
}

uint64_t Queue::submitted() const {
  std::lock_guard<std::mutex> lock(mutex_);
  return submitted_;
}

std::optional<Failure> Queue::take_failure() {
  std::lock_guard<std::mutex> lock(mutex_);
  std::optional<Failure> failure = std::move(failure_);
  failure_.reset();
  return failure;
}

void Queue::run() {
  for (;;) {
    std::function<void()> job;
    {
      std::unique_lock<std::mutex> lock(mutex_);
      wake_.wait(lock, [&] { return stop_ || !jobs_.empty(); });
      if (jobs_.empty()) return;
      job = std::move(jobs_.front());
      jobs_.pop_front();
    }
    std::optional<Failure> failure;
    try {
      std::shared_lock<std::shared_timed_mutex> open(gate());
      job();
    } catch (const Failure& f) {
      failure = f;
    } catch (const std::bad_alloc&) {
      failure = Failure("OUT_OF_MEMORY", "out of memory: a kernel could not get its scratch memory");
    } catch (const std::exception& e) {
      failure = Failure("INTERNAL", std::string("a kernel failed: ") + e.what());
    }
    job = nullptr;  // release what the job holds before anybody is told that it has run
    {
      std::lock_guard<std::mutex> lock(mutex_);
      if (failure && !failure_) failure_ = std::move(failure);
      finished_++;
    }
    done_.notify_all();
  }
}

}  // namespace voxelspark
