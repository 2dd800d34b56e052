#pragma once

#include <string_view>
#include <utility>

namespace weir::http {

/// A path on its way to a normal form: bytes are added from the front, dot segments are resolved as each segment ends.
/// `out` has room for every byte that is added; what is added first is a '/'.
class PathBuilder {
 public:
  enum class Slashes : bool { keep, merge };
  PathBuilder(char* out, Slashes slashes) : out_(out), slashes_(slashes) {}

  void add(char c) {
    if (c == '/' && slashes_ == Slashes::merge && size_ > 0 && out_[size_ - 1] == '/') return;
    out_[size_++] = c;
  }
  /// "%2f" in upper case.
  void add_escape(std::string_view escape) {
    out_[size_++] = '%';
    for (const char c : escape.substr(1, 2)) out_[size_++] = c >= 'a' && c <= 'f' ? static_cast<char>(c - 0x20) : c;
  }

  /// A segment has ended: takes "." and ".." out again (RFC 3986 section 5.2.4). False above the root.
  bool resolve() {
    const std::string_view path(out_, size_);
    const auto slash = path.rfind('/');
    const auto segment = path.substr(slash + 1);
    if (segment == ".") {
      size_ = slash + 1;
    } else if (segment == "..") {
      if (slash == 0) return false;
      size_ = path.rfind('/', slash - 1) + 1;
    } else {
      return true;
    }
    after_dots_ = has_dots_ = true;
    return true;
  }
  /// True behind "a/../": the slash before "a" stands there already, and the next one is not another.
  bool swallow_slash() { return std::exchange(after_dots_, false); }

  /// Some segment was "." or "..".
  bool has_dots() const { return has_dots_; }
  std::string_view path() const { return {out_, size_}; }

 private:
  char* out_;
  const Slashes slashes_;
  size_t size_ = 0;
  bool after_dots_ = false;
  bool has_dots_ = false;
};

}  // namespace weir::http
