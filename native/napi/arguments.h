// Reading JavaScript values. Every wrong type or range becomes a Failure that names the argument, what was found and
// what is allowed; nothing is coerced.
#pragma once
#include <napi.h>

#include <cmath>
#include <vector>

#include "core/shape.h"
#include "core/status.h"
#include "core/text.h"
#include "device/backend.h"

namespace voxelspark {

inline double number_of(const Napi::Value& v, const std::string& name) {
  require(v.IsNumber(), "TYPE", name + " must be a number");
  return v.As<Napi::Number>().DoubleValue();
}

inline int64_t integer_of(const Napi::Value& v, const std::string& name) {
  const double d = number_of(v, name);
  require(std::floor(d) == d && std::fabs(d) <= 9007199254740991.0, "RANGE",
          name + " is " + text_of(d) + ", allowed are whole numbers up to 2^53");
  return static_cast<int64_t>(d);
}

inline Napi::Array array_of(const Napi::Value& v, const std::string& name) {
  require(v.IsArray(), "TYPE", name + " must be an array");
  return v.As<Napi::Array>();
}

inline std::vector<double> numbers_of(const Napi::Value& v, const std::string& name) {
  Napi::Array a = array_of(v, name);
  std::vector<double> numbers;
  for (uint32_t i = 0; i < a.Length(); i++)
    numbers.push_back(number_of(a.Get(i), name + "[" + std::to_string(i) + "]"));
  return numbers;
}

inline std::string text_of(const Napi::Value& v, const std::string& name) {
  require(v.IsString(), "TYPE", name + " must be a string");
  return v.As<Napi::String>();
}

inline Int3 int3_of(const Napi::Value& v, const std::string& name) {
  Napi::Array a = array_of(v, name);
  require(a.Length() == 3, "RANGE", name + " has " + std::to_string(a.Length()) + " entries, allowed are 3 (z, y, x)");
  return {integer_of(a.Get(0u), name), integer_of(a.Get(1u), name), integer_of(a.Get(2u), name)};
}

inline Shape shape_of(const Napi::Value& v) {
  Napi::Array a = array_of(v, "shape");
  require(a.Length() <= kMaxRank, "SHAPE",
          "shape has " + std::to_string(a.Length()) + " axes, allowed are at most " + std::to_string(kMaxRank));
  Shape s;
  s.rank = static_cast<int>(a.Length());
  int64_t elements = 1;
  for (int i = 0; i < s.rank; i++) {
    s.dims[i] = integer_of(a.Get(i), "shape[" + std::to_string(i) + "]");
    require(s.dims[i] >= 1, "SHAPE",
            "shape[" + std::to_string(i) + "] is " + std::to_string(s.dims[i]) + ", allowed are sizes from 1");
    require(!__builtin_mul_overflow(elements, s.dims[i], &elements) && elements < (int64_t{1} << 48), "SHAPE",
            "shape " + to_string(s) + " has too many elements");
  }
  return s;
}

inline DeviceKind device_of(const Napi::Value& v) {
  const int64_t d = integer_of(v, "device");
  require(d >= 0 && d < kDeviceKinds, "RANGE", "device is " + std::to_string(d) + ", allowed are 0 to 3");
  return static_cast<DeviceKind>(d);
}

inline DType dtype_of(const Napi::Value& v) {
  const int64_t t = integer_of(v, "dtype");
  require(t >= 0 && t < kDTypes, "RANGE", "dtype is " + std::to_string(t) + ", allowed are 0 to 3");
  return static_cast<DType>(t);
}

}  // namespace voxelspark
