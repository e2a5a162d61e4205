// Numbers in sentences.
#pragma once
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <string>

namespace voxelspark {

// As a person writes it, with digits enough to read back as the same number: 3, 1.5, 1e-07, NaN.
inline std::string text_of(double value) {
  if (std::isnan(value)) return "NaN";
  if (std::isinf(value)) return value > 0 ? "Infinity" : "-Infinity";
  if (std::floor(value) == value && std::fabs(value) <= 9007199254740992.0)
    return std::to_string(static_cast<long long>(value));
  char text[32];
  for (int digits = 15; digits <= 17; digits++) {
    std::snprintf(text, sizeof text, "%.*g", digits, value);
    if (std::strtod(text, nullptr) == value) break;
  }
  return text;
}

}  // namespace voxelspark
