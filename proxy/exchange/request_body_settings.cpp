#include "exchange/request_body_settings.h"

#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>

namespace weir {

static auto choices(RequestBodySettings::Mode*) {
  using Mode = RequestBodySettings::Mode;
  return std::array{config::Choice<Mode>{"stream", Mode::stream}, config::Choice<Mode>{"buffer", Mode::buffer}};
}

static void check_folder(config::Reader& r, const std::string& folder) {
  std::error_code error;
  if (!std::filesystem::is_directory(folder, error)) {
    const auto why = error ? error.message() : std::string("it is no folder");
    return r.problem_at("folder", "'" + folder + "' can't hold request bodies: " + why,
                        "name a folder that exists, on a disk with room for what clients send");
  }
  if (::access(folder.c_str(), W_OK | X_OK) == 0) return;
  r.problems().warn(r.location_of("folder"), "'" + folder + "' can't be written by this user: " + std::strerror(errno),
                    "bodies larger than `memory` are refused with 507");
}

void decode(config::Reader& r, RequestBodySettings& out) {
  r.shorthand("mode");
  r.optional(
      "mode", out.mode,
      "stream: on as it comes; buffer: once it is whole, with Content-Length, so that slow clients hold no endpoint");
  r.optional("memory", out.memory,
             "with buffer: bytes of a body that are kept in memory; a larger one goes into a file",
             config::at_most(Bytes{16 * 1024 * 1024}));
  r.optional("folder", out.folder, "with buffer: where these files are, which have no name", config::non_empty);
  if (r.is_describing() || out.mode != RequestBodySettings::Mode::buffer) return;
  check_folder(r, out.folder);
}

}  // namespace weir
