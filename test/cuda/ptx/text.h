// Reading PTX: words, numbers and statements.
#pragma once
#include <string>
#include <string_view>
#include <vector>

namespace ptx {

inline bool is_space(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }
inline bool is_name(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '$' || c == '%';
}
std::string_view trimmed(std::string_view text);
// Parts between `separator` outside of brackets.
std::vector<std::string_view> split(std::string_view text, char separator);
// 12, -3, 0x1F, 0f3F800000, 0d3FF0000000000000: its bits.
bool read_number(std::string_view text, int64_t& value);

// Walks over a text without its comments.
class Reader {
 public:
  Reader(std::string_view text, size_t at = 0) : at(at), text_(text) {}
  bool skip();  // to the next thing; false at the end
  char peek() const { return text_[at]; }
  std::string_view name();        // letters, digits, _ $ %; may be empty
  std::string_view to(char end);  // up to it, which is skipped
  std::string_view line();
  size_t at;

 private:
  std::string_view text_;
};

}  // namespace ptx
