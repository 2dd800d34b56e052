#include "net/resolver_srv.h"

#include <ares.h>

namespace weir::net {

namespace {

constexpr uint16_t kSrv = 33;
constexpr size_t kHeader = 12;

/// Walks over a DNS message (RFC 1035 section 4.1). After a read past its end everything is zero and it is failed.
class Walk {
 public:
  explicit Walk(std::span<const unsigned char> message) : message_(message) {}
  bool failed() const { return failed_; }
  size_t at() const { return at_; }
  void go_to(size_t at) {
    if (at > message_.size()) failed_ = true;
    if (!failed_) at_ = at;
  }
  uint16_t u16() {
    if (failed_ || message_.size() - at_ < 2) {
      failed_ = true;
      return 0;
    }
    at_ += 2;
    return static_cast<uint16_t>(message_[at_ - 2] << 8 | message_[at_ - 1]);
  }
  uint32_t u32() {
    const uint32_t high = u16();
    return high << 16 | u16();
  }
  std::string name() {
    char* text = nullptr;
    long length = 0;
    const auto size = static_cast<int>(message_.size());
    if (failed_ || at_ >= message_.size() ||
        ares_expand_name(message_.data() + at_, message_.data(), size, &text, &length) != ARES_SUCCESS) {
      failed_ = true;
      return "";
    }
    std::string name(text);
    ares_free_string(text);
    at_ += static_cast<size_t>(length);
    return name;
  }

 private:
  std::span<const unsigned char> message_;
  size_t at_ = 0;
  bool failed_ = false;
};

}  // namespace

std::optional<std::vector<SrvRecord>> parse_srv(std::span<const unsigned char> answer) {
  Walk walk(answer);
  walk.go_to(4);
  const uint16_t questions = walk.u16();
  const uint16_t answers = walk.u16();
  walk.go_to(kHeader);
  for (int i = 0; i < questions && !walk.failed(); ++i) {
    walk.name();
    walk.go_to(walk.at() + 4);
  }
  std::vector<SrvRecord> records;
  for (int i = 0; i < answers && !walk.failed(); ++i) {
    walk.name();
    const uint16_t type = walk.u16();
    walk.u16();  // class
    SrvRecord record{.ttl = walk.u32()};
    const size_t length = walk.u16();
    const size_t end = walk.at() + length;
    if (type == kSrv) {
      record.priority = walk.u16();
      record.weight = walk.u16();
      record.port = walk.u16();
      record.target = walk.name();
      records.push_back(record);
    }
    walk.go_to(end);
  }
  if (walk.failed()) return std::nullopt;
  return records;
}

}  // namespace weir::net
