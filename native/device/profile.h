// Where the time of kernels goes: with VOXELSPARK_PROFILE=1 in the environment each runtime adds up the wall time of
// its kernels by name and prints a table on stderr when it ends.
#pragma once
#include <chrono>
#include <cstdint>
#include <map>
#include <string>

namespace voxelspark {

class Profile {
 public:
  Profile();
  ~Profile();

  // Runs a kernel; on the queue's thread only.
  template <class Run>
  void time(const char* kernel, const Run& run) {
    if (!enabled_) return run();
    const auto start = std::chrono::steady_clock::now();
    run();
    add(kernel, std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
  }

 private:
  struct Total {
    double seconds = 0;
    int64_t launches = 0;
  };
  void add(const char* kernel, double seconds);
  const bool enabled_;
  std::map<std::string, Total> totals_;
};

}  // namespace voxelspark
