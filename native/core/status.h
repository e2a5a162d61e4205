// The outcome of everything that can fail: a stable code and a sentence. Nothing in native code prints or exits;
// the N-API boundary turns a Failure into a JavaScript error with the same code.
#pragma once
#include <stdexcept>
#include <string>
#include <utility>

namespace voxelspark {

struct Failure : std::runtime_error {
  const char* code;  // without the prefix ERR_VOXELSPARK_
  Failure(const char* code, const std::string& sentence) : std::runtime_error(sentence), code(code) {}
};

inline void require(bool condition, const char* code, const std::string& sentence) {
  if (!condition) throw Failure(code, sentence);
}
inline void require_shape(bool condition, const std::string& sentence) { require(condition, "SHAPE", sentence); }

}  // namespace voxelspark
