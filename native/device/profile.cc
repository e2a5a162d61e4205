#include "device/profile.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <vector>

namespace voxelspark {

static bool wanted() {
  const char* value = std::getenv("VOXELSPARK_PROFILE");
  return value && std::strcmp(value, "1") == 0;
}

Profile::Profile() : enabled_(wanted()) {}

void Profile::add(const char* kernel, double seconds) {
  Total& total = totals_[kernel];
  total.seconds += seconds;
  total.launches++;
}

Profile::~Profile() {
  if (totals_.empty()) return;
  double all = 0;
  std::vector<std::pair<std::string, Total>> rows(totals_.begin(), totals_.end());
  for (const auto& [name, total] : rows) all += total.seconds;
  std::sort(rows.begin(), rows.end(), [](auto& a, auto& b) { return a.second.seconds > b.second.seconds; });
  std::fprintf(stderr, "%-28s %10s %7s %10s\n", "kernel", "seconds", "share", "launches");
  for (const auto& [name, total] : rows)
    std::fprintf(stderr, "%-28s %10.3f %5.1f %% %10lld\n", name.c_str(), total.seconds, 100 * total.seconds / all,
                 static_cast<long long>(total.launches));
}

}  // namespace voxelspark
