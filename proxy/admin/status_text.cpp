#include "admin/status_text.h"

#include <fmt/format.h>

#include <array>
#include <cmath>
#include <nlohmann/json.hpp>
#include <vector>

#include "admin/text_table.h"

namespace weir::admin {

namespace {

using Json = nlohmann::ordered_json;
constexpr size_t kShownFailures = 5;

/// "3d 4h", "12m 5s", "7s".
std::string span_of(double seconds) {
  auto left = static_cast<int64_t>(seconds);
  struct Unit {
    int64_t seconds;
    char name;
  };
  std::string text;
  int parts = 0;
  for (const auto unit : {Unit{86400, 'd'}, Unit{3600, 'h'}, Unit{60, 'm'}, Unit{1, 's'}}) {
    const bool is_last = unit.seconds == 1;
    if (left < unit.seconds && !(is_last && parts == 0)) continue;
    text += fmt::format("{}{}{}", parts > 0 ? " " : "", left / unit.seconds, unit.name);
    left %= unit.seconds;
    if (++parts == 2) break;
  }
  return text;
}

std::string turn_of(double milliseconds) {
  return milliseconds < 0 ? "more than 30 s" : fmt::format("at most {:g} ms", milliseconds);
}

void add_indented(std::string& out, std::string_view text) {
  while (!text.empty()) {
    const auto end = text.find('\n');
    out += fmt::format("          {}\n", text.substr(0, end));
    if (end == text.npos) break;
    text.remove_prefix(end + 1);
  }
}

std::string reload_of(const Json& status) {
  if (!status.contains("last_reload")) return "reload    none since the start\n";
  const auto& reload = status["last_reload"];
  const std::string at = reload.at("at");
  if (reload.at("ok")) return fmt::format("reload    succeeded at {}\n", at);
  auto text = fmt::format("reload    FAILED at {}: the configuration before it is served\n", at);
  add_indented(text, reload.value("text", ""));
  return text;
}

std::string store_of(const Json& store) {
  std::string servers;
  for (const std::string server : store.value("servers", Json::array()))
    servers += (servers.empty() ? " " : ", ") + server;
  auto text = fmt::format("store     {}{} is {}", store.at("kind").get<std::string>(), servers,
                          store.at("state").get<std::string>());
  if (const auto pages = store.value("cache_pages", ""); !pages.empty())
    text += fmt::format("; its connections for pages of caches: {}", pages);
  if (store.at("kind") != "embedded") {
    text += fmt::format("; {} instance{}; on_failure: {}", store.at("instances").get<uint32_t>(),
                        store.at("instances") == 1 ? "" : "s", store.at("on_failure").get<std::string>());
  }
  return text + "\n";
}

using Row = std::vector<std::string>;

/// With an empty line above it; "" without rows.
template <class IsNumber>
std::string table(Row head, std::vector<Row> rows, IsNumber is_number) {
  if (rows.empty()) return "";
  rows.insert(rows.begin(), std::move(head));
  return "\n" + text_table(rows, is_number);
}

/// "in_flight 3, full 24": what is 0 is left out.
std::string counts_of(const Json& counts) {
  std::string text;
  for (const auto& [name, count] : counts.items()) {
    if (count == 0) continue;
    text += fmt::format("{}{} {}", text.empty() ? "" : ", ", name, count.get<int64_t>());
  }
  return text.empty() ? "-" : text;
}

std::vector<Row> counted_rows(const Json& list) {
  std::vector<Row> rows;
  for (const auto& one : list)
    rows.push_back({fmt::format("{} {}", one.at("kind").get<std::string>(), one.at("name").get<std::string>()),
                    one.value("route", "-"), counts_of(one.at("counts"))});
  return rows;
}

std::string queue_table(const Json& queues) {
  std::vector<Row> rows;
  for (const auto& queue : queues) {
    const uint32_t waiting = queue.at("waiting"), size = queue.at("size");
    rows.push_back({queue.at("upstream"), std::to_string(waiting), std::to_string(size),
                    fmt::format("{:g} ms", queue.at("timeout_ms").get<double>()),
                    size > 0 && waiting >= size ? "full" : ""});
  }
  return table({"QUEUE OF", "WAITING", "SIZE", "TIMEOUT", ""}, std::move(rows),
               [](size_t column) { return column >= 1 && column <= 3; });
}

std::string listener_table(const Json& listeners) {
  std::vector<Row> rows;
  for (const auto& one : listeners)
    rows.push_back({one.at("name"), one.at("bind"), one.at("kind"), one.at("open").dump(), one.at("accepted").dump()});
  return table({"LISTENER", "ADDRESS", "KIND", "OPEN", "ACCEPTED"}, std::move(rows),
               [](size_t column) { return column >= 3; });
}

std::string certificate_table(const Json& certificates) {
  std::vector<Row> rows;
  for (const auto& one : certificates) {
    const int64_t days = one.at("days");
    rows.push_back({one.at("file"), one.at("listener"), one.at("expires"), std::to_string(days),
                    days < 0    ? "EXPIRED"
                    : days < 14 ? "renew soon"
                                : ""});
  }
  return table({"CERTIFICATE", "LISTENER", "EXPIRES", "DAYS", ""}, std::move(rows),
               [](size_t column) { return column == 3; });
}

std::string failure_table(const Json& failures) {
  std::vector<Row> rows;
  for (const auto& one : failures) {
    if (rows.size() == kShownFailures) break;
    const uint64_t replaced = one.value("replaced", uint64_t{0});
    rows.push_back({one.at("error"), one.value("upstream", "-"), one.value("by", "-"), one.at("count").dump(),
                    span_of(one.at("seconds_ago").get<double>()) + " ago",
                    replaced > 0 ? fmt::format("{} answered in its place", replaced) : ""});
  }
  auto text = table({"LAST FAILURES", "UPSTREAM", "BY", "COUNT", "LAST", ""}, std::move(rows),
                    [](size_t column) { return column == 3; });
  if (failures.size() > kShownFailures) text += fmt::format("and {} more kinds\n", failures.size() - kShownFailures);
  if (!text.empty()) text += "`weir status --why [UPSTREAM]` tells what they mean and what to do.\n";
  return text;
}

Text rendered(std::string_view status_json, std::string (*render)(const Json& status)) {
  try {
    return render(Json::parse(status_json));
  } catch (const Json::exception& problem) {
    return std::unexpected(std::string("not a response of /status: ") + problem.what());
  }
}

}  // namespace

Text process_text(std::string_view status_json) {
  return rendered(status_json, [](const Json& status) {
    auto text = fmt::format("weir {}{}, process {}, up {}, serves {}\n", status.at("version").get<std::string>(),
                            status.contains("commit") ? " " + status["commit"].get<std::string>() : "",
                            status.at("pid").get<int64_t>(), span_of(status.at("uptime_seconds")),
                            status.at("file").get<std::string>());
    const auto why = status.value("why", "");
    text += fmt::format("state     {}{}{}\n", status.at("status").get<std::string>(), why.empty() ? "" : ": ", why);
    text += reload_of(status);
    const auto& loops = status.at("loops");
    text +=
        fmt::format("workers   {}; {} requests in flight; loop turns: 99% take {}, the longest {}; {} stuck\n",
                    status.at("workers").get<size_t>(), status.at("requests_in_flight").get<int64_t>(),
                    turn_of(loops.at("most_ms")), turn_of(loops.at("longest_ms")), loops.at("stuck").get<uint64_t>());
    return text + store_of(status.at("store"));
  });
}

Text details_text(std::string_view status_json) {
  return rendered(status_json, [](const Json& status) {
    const auto is_number = [](size_t) { return false; };
    auto text = queue_table(status.at("queues"));
    text += table({"LIMITER", "ROUTE", "COUNTS"}, counted_rows(status.at("limiters")), is_number);
    text += table({"CACHE", "ROUTE", "COUNTS"}, counted_rows(status.at("caches")), is_number);
    text += listener_table(status.at("listeners")) + certificate_table(status.at("certificates"));
    return text + failure_table(status.at("failures"));
  });
}

}  // namespace weir::admin
