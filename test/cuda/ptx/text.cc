#include "text.h"

#include <charconv>

#include "instruction.h"

namespace ptx {

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && is_space(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_space(text.back())) text.remove_suffix(1);
  return text;
}

std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  size_t begin = 0;
  int depth = 0;
  for (size_t i = 0; i < text.size(); i++) {
    const char c = text[i];
    if (c == '{' || c == '[') depth++;
    if (c == '}' || c == ']') depth--;
    if (c != separator || depth) continue;
    parts.push_back(trimmed(text.substr(begin, i - begin)));
    begin = i + 1;
  }
  const auto last = trimmed(text.substr(begin));
  if (!last.empty() || !parts.empty()) parts.push_back(last);
  return parts;
}

bool read_number(std::string_view text, int64_t& value) {
  const bool negative = !text.empty() && text[0] == '-';
  if (negative) text.remove_prefix(1);
  if (text.empty() || text[0] < '0' || text[0] > '9') return false;
  int base = 10;
  if (text.size() > 2 && text[0] == '0' && (text[1] == 'x' || text[1] == 'f' || text[1] == 'd')) {
    base = 16;
    text.remove_prefix(2);
  }
  if (text.back() == 'U') text.remove_suffix(1);
  uint64_t bits = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), bits, base);
  if (error != std::errc() || end != text.data() + text.size()) return false;
  value = static_cast<int64_t>(negative ? 0 - bits : bits);
  return true;
}

bool Reader::skip() {
  for (; at < text_.size(); at++) {
    if (is_space(text_[at])) continue;
    if (text_.compare(at, 2, "//") == 0) {
      at = text_.find('\n', at);
      if (at == text_.npos) at = text_.size();
      if (at == text_.size()) return false;
    } else if (text_.compare(at, 2, "/*") == 0) {
      at = text_.find("*/", at);
      if (at == text_.npos) fail("a comment without an end");
      at++;
    } else {
      return true;
    }
  }
  return false;
}

std::string_view Reader::name() {
  const size_t begin = at;
  while (at < text_.size() && is_name(text_[at])) at++;
  return text_.substr(begin, at - begin);
}

std::string_view Reader::to(char end) {
  const size_t begin = at;
  at = text_.find(end, at);
  if (at == text_.npos) fail(std::string("PTX ends where a ") + end + " is due");
  return text_.substr(begin, at++ - begin);
}

std::string_view Reader::line() {
  const size_t begin = at;
  at = std::min(text_.find('\n', at), text_.size());
  return text_.substr(begin, at - begin);
}

}  // namespace ptx
