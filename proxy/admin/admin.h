#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "admin/guard.h"
#include "admin/renderer.h"
#include "exchange/admin_page.h"
#include "exchange/exchange.h"

namespace weir::admin {

/// Whether this process wants traffic. Degraded still does: `why` says what doesn't work.
struct Readiness {
  enum class State : uint8_t { ready, degraded, not_ready } state = State::ready;
  std::string why;  // "starting", "draining", "store is down"
};

struct ReloadOutcome {
  bool ok = true;
  std::string text;  // the problems, as `weir check` prints them
};

/// The file that a client of the admin API takes for the served one: what it is called, and what it is, since the
/// client may see other paths (a container).
struct ServedFile {
  std::string path;      // without symbolic links
  std::string identity;  // "DEVICE:INODE"; "" = not known
};

/// What an operator may want of an endpoint.
enum class EndpointOrder : uint8_t { drain, up };

/// What the admin API shows and does: the running program, as `runtime/` knows it. Called on the worker that serves
/// the admin listener, unless told otherwise; only `reload` and `order` change anything.
class Console {
 public:
  virtual ~Console() = default;
  virtual Readiness readiness() const = 0;
  virtual std::string version_json() const = 0;
  // On the renderer's thread: these take as long as the configuration is large.
  virtual Page metrics(std::string_view accept) const = 0;
  virtual std::string status_json() const = 0;     // status_json.h renders it
  virtual std::string upstreams_json() const = 0;  // upstreams_json.h renders it
  virtual std::string config_json() const = 0;     // in effect, secrets masked
  /// False when there is no such endpoint.
  virtual bool order(std::string_view upstream, std::string_view endpoint, EndpointOrder order) = 0;
  /// Loads the configuration again; the answer is sent when it is done.
  virtual Task<ReloadOutcome> reload(Exchange& exchange) = 0;
  /// The file that is served, when it is another one than that; "" when they are the same.
  virtual std::string other_than(const ServedFile& file) const = 0;
};

/// What an address of the admin API serves.
enum class Surface : uint8_t { everything, metrics };

/// The admin API as the Origin of the admin listener's only route:
/// GET / /livez /readyz /status /metrics /upstreams /config /version, POST /reload,
/// POST /upstreams/NAME/endpoints/ADDRESS/drain and …/up, and the pages of plugins. GET never changes anything. A Guard
/// refuses what was not meant for the API.
class AdminOrigin : public Origin {
 public:
  /// `pages`: what plugins bring. Console, renderer and metrics outlive it.
  AdminOrigin(Console& console, Renderer& renderer, FilterMetrics& metrics, std::vector<AdminPage> pages = {},
              Surface surface = Surface::everything);
  /// For requests from now on; on the worker's thread.
  void use(std::shared_ptr<const Access> access) { guard_.use(std::move(access)); }
  Task<> handle(Exchange& exchange) const override;

 private:
  const AdminPage* page_at(std::string_view path) const;
  Task<> show(Exchange& exchange, std::string accept, std::function<Page()> work) const;

  Console& console_;
  Renderer& renderer_;
  Guard guard_;
  Surface surface_;
  std::vector<AdminPage> pages_;
  std::string index_;
};

}  // namespace weir::admin
