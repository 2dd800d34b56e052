#pragma once

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <map>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "net/address.h"

namespace weir::net {

/// A DNS server on a free UDP port of the loopback, asked by `serve` from the test's own thread.
class DnsServer {
 public:
  enum class Mood { answers, fails, silent };

  DnsServer() : fd_(socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)) {
    const auto any = *Address::parse("127.0.0.1:0");
    bind(fd_, any.get(), any.size());
  }
  ~DnsServer() { close(fd_); }
  DnsServer(const DnsServer&) = delete;

  Address address() const {
    sockaddr_in address{};
    socklen_t size = sizeof address;
    getsockname(fd_, reinterpret_cast<sockaddr*>(&address), &size);
    return {reinterpret_cast<const sockaddr*>(&address), size};
  }

  void a(std::string_view name, std::string_view ip, uint32_t ttl) { add(name, 1, ttl, bytes(ip)); }
  void aaaa(std::string_view name, std::string_view ip, uint32_t ttl) { add(name, 28, ttl, bytes(ip)); }
  void srv(std::string_view name, uint16_t priority, uint16_t weight, uint16_t port, std::string_view target,
           uint32_t ttl) {
    add(name, 33, ttl, u16(priority) + u16(weight) + u16(port) + encoded(target));
  }
  /// SERVFAIL to every question for this name, until it is `well` again.
  void fail(std::string_view name) { failing_.insert(encoded(name)); }
  void well(std::string_view name) { failing_.erase(encoded(name)); }
  void forget(std::string_view name) {
    std::erase_if(records_, [&](const auto& entry) { return entry.first == encoded(name); });
  }

  /// Answers what has been asked.
  void serve() {
    char question[512];
    sockaddr_storage from;
    socklen_t size = sizeof from;
    ssize_t length;
    while ((length = recvfrom(fd_, question, sizeof question, 0, reinterpret_cast<sockaddr*>(&from), &size)) > 12) {
      ++asked;
      if (mood == Mood::silent) continue;
      const auto reply = answer({question, static_cast<size_t>(length)});
      sendto(fd_, reply.data(), reply.size(), 0, reinterpret_cast<sockaddr*>(&from), size);
    }
  }

  Mood mood = Mood::answers;
  int asked = 0;

 private:
  struct Record {
    uint16_t type;
    uint32_t ttl;
    std::string data;
  };

  static std::string u16(uint16_t value) { return {static_cast<char>(value >> 8), static_cast<char>(value)}; }
  static std::string bytes(std::string_view ip) {
    const auto address = *Address::parse_ip(ip, 0);
    if (address.family() == AF_INET) {
      return {reinterpret_cast<const char*>(&reinterpret_cast<const sockaddr_in*>(address.get())->sin_addr), 4};
    }
    return {reinterpret_cast<const char*>(&reinterpret_cast<const sockaddr_in6*>(address.get())->sin6_addr), 16};
  }
  static std::string encoded(std::string_view name) {
    std::string labels;
    while (!name.empty()) {
      const auto label = name.substr(0, name.find('.'));
      labels += static_cast<char>(label.size());
      labels += label;
      name.remove_prefix(std::min(name.size(), label.size() + 1));
    }
    return labels + '\0';
  }
  void add(std::string_view name, uint16_t type, uint32_t ttl, std::string data) {
    records_[encoded(name)].push_back({type, ttl, std::move(data)});
  }
  std::string answer(std::string_view question) const {
    const auto name = question.substr(12, question.find('\0', 12) - 11);
    const auto type = static_cast<uint16_t>(static_cast<unsigned char>(question[12 + name.size() + 1]));
    const auto known = records_.find(std::string(name));
    uint16_t count = 0;
    std::string answers;
    const bool is_well = mood == Mood::answers && !failing_.contains(std::string(name));
    if (known != records_.end() && is_well) {
      for (const auto& record : known->second) {
        if (record.type != type) continue;
        ++count;
        answers += u16(0xc00c) + u16(type) + u16(1) + u16(static_cast<uint16_t>(record.ttl >> 16)) +
                   u16(static_cast<uint16_t>(record.ttl)) + u16(static_cast<uint16_t>(record.data.size())) +
                   record.data;
      }
    }
    const int code = mood == Mood::fails || !is_well ? 2 : known == records_.end() ? 3 : 0;
    return std::string(question.substr(0, 2)) + u16(static_cast<uint16_t>(0x8180 | code)) + u16(1) + u16(count) +
           u16(0) + u16(0) + std::string(question.substr(12, name.size() + 4)) + answers;
  }

  int fd_;
  std::map<std::string, std::vector<Record>> records_;
  std::set<std::string> failing_;
};

}  // namespace weir::net
