#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "async/loop.h"
#include "async/task.h"
#include "base/result.h"
#include "net/address.h"

namespace weir::net {

enum class RecordType : uint8_t { a, aaaa, any, srv };  // any: A and AAAA

struct ResolverSettings {
  std::vector<Address> servers;                // empty: those of /etc/resolv.conf
  Duration timeout = std::chrono::seconds(2);  // of one try; each further one waits twice as long
  uint32_t tries = 2;
};

/// What a name means now, in a stable order.
struct Resolution {
  struct Record {
    Address address;        // its port is SRV's, else 0
    uint16_t priority = 0;  // SRV: the least first
    uint16_t weight = 0;    // SRV: 0 = as little as possible
    std::string target{};   // SRV: the host that has the address
    bool operator==(const Record&) const = default;
  };
  std::vector<Record> records;  // none: the service is not available at this name (SRV with the target ".")
  Duration ttl{};               // 1 s to 5 m; 30 s for an answer from the hosts file
};

/// Names to addresses, without blocking: c-ares over the loop. One thread; its tasks end or are destroyed
/// before it goes.
class Resolver {
 public:
  Resolver(Loop& loop, const ResolverSettings& settings);
  Resolver(const Resolver&) = delete;
  Resolver& operator=(const Resolver&) = delete;
  ~Resolver();

  /// The records, or dns_error (Side::upstream for an answer that says no, Side::self when nobody answered). The hosts
  /// file comes before DNS, but for SRV. The target of an SRV record that gets no answer keeps its addresses of `last`,
  /// the last good records. A destroyed task drops its late answer.
  Task<Result<Resolution>> resolve(std::string name, RecordType type, std::vector<Resolution::Record> last = {});

 private:
  class Channel;
  std::unique_ptr<Channel> channel_;
};

}  // namespace weir::net
