#include "exchange/request_body_settings.h"

#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <future>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <system_error>

#include "base/thread.h"

namespace weir {

static auto choices(RequestBodySettings::Mode*) {
  using Mode = RequestBodySettings::Mode;
  return std::array{config::Choice<Mode>{"stream", Mode::stream}, config::Choice<Mode>{"buffer", Mode::buffer}};
}

namespace {

constexpr Duration kPatience = std::chrono::seconds(1);

/// What a look at a folder found; "" = nothing.
struct Look {
  std::string problem;
  std::string warning;
};

Look look_at(const std::string& folder) {
  std::error_code error;
  if (!std::filesystem::is_directory(folder, error)) {
    const auto why = error ? error.message() : std::string("it is no folder");
    return {"'" + folder + "' can't hold request bodies: " + why, ""};
  }
  if (::access(folder.c_str(), W_OK | X_OK) == 0) return {};
  return {"", "'" + folder + "' can't be written by this user: " + std::strerror(errno)};
}

/// The folders that a thread looks at now. Any thread.
class Looking {
 public:
  bool begin(const std::string& folder) {
    const std::lock_guard lock(mutex_);
    return folders_.insert(folder).second;
  }
  void end(const std::string& folder) {
    const std::lock_guard lock(mutex_);
    folders_.erase(folder);
  }

 private:
  std::mutex mutex_;
  std::set<std::string> folders_;
};

/// Looks on a thread of its own, so that a disk that hangs delays the caller by `kPatience` and the process' end not at
/// all. While such a look hangs, none is begun for the same folder. Nothing: the disk did not respond.
std::optional<Look> look_in_time(const std::string& folder) {
  static const auto looking = std::make_shared<Looking>();  // shared with the threads, which may outlast it
  if (!looking->begin(folder)) return std::nullopt;
  std::packaged_task<Look()> look([folder, looking = looking] {
    auto found = look_at(folder);
    looking->end(folder);
    return found;
  });
  auto found = look.get_future();
  try {
    start_thread("weir-folder", TakesSignals::no, std::move(look)).detach();
  } catch (const std::system_error&) {
    looking->end(folder);
    return look_at(folder);
  }
  if (found.wait_for(kPatience) != std::future_status::ready) return std::nullopt;
  return found.get();
}

void check_folder(config::Reader& r, const std::string& folder) {
  const auto look = look_in_time(folder);
  const auto warn = [&](const std::string& what) {
    r.problems().warn(r.location_of("folder"), what, "bodies larger than `memory` are refused with 507");
  };
  if (!look) return warn("the disk of '" + folder + "' did not respond in time");
  if (!look->problem.empty())
    return r.problem_at("folder", look->problem,
                        "name a folder that exists, on a disk with room for what clients send");
  if (!look->warning.empty()) warn(look->warning);
}

}  // namespace

void decode(config::Reader& r, RequestBodySettings& out) {
  r.shorthand("mode");
  r.optional(
      "mode", out.mode,
      "stream: on as it comes; buffer: once it is whole, with Content-Length, so that slow clients hold no endpoint");
  r.optional("memory", out.memory,
             "with buffer: bytes of a body that are kept in memory; a larger one goes into a file",
             config::at_most(Bytes{16 * 1024 * 1024}));
  r.optional("folder", out.folder, "with buffer: where these files are, which have no name", config::non_empty);
  r.optional(
      "max_size", out.max_size,
      "with buffer: bytes of all files in the folder; 0: what the disk has. No client takes more than it leaves free");
  if (r.is_describing() || out.mode != RequestBodySettings::Mode::buffer) return;
  check_folder(r, out.folder);
}

}  // namespace weir
