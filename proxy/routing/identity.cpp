#include "routing/identity.h"

#include <fmt/format.h>

#include "base/hash.h"

namespace weir::routing {

namespace {

/// Fields one behind the other, each with its length: no two lists make the same text.
class Text {
 public:
  Text& operator<<(std::string_view field) {
    text_ += std::to_string(field.size());
    text_ += ':';
    text_ += field;
    return *this;
  }
  Text& operator<<(size_t number) { return *this << std::string_view(std::to_string(number)); }

  std::string hash_text() const { return fmt::format("route~{:016x}", hash(text_)); }

 private:
  std::string text_;
};

template <class Kind>
size_t number_of(Kind kind) {
  return static_cast<size_t>(kind);
}

void add(Text& text, const std::vector<config::Named<FieldPattern>>& fields) {
  text << fields.size();
  for (const auto& field : fields) text << field.name << number_of(field.value.kind) << field.value.text;
}

void add(Text& text, const MatchSettings& match) {
  text << match.hosts.size();
  for (const auto& host : match.hosts) text << number_of(host.kind) << host.text << host.port;
  text << number_of(match.path.kind) << match.path.text << match.methods.size();
  for (const auto& method : match.methods) text << method;
  add(text, match.headers);
  add(text, match.query);
  text << match.listeners.size();
  for (const auto& listener : match.listeners) text << *listener;
}

/// Weights and rewrites may change without making it another route.
void add_destination(Text& text, const RouteSettings& route) {
  if (route.upstream) text << "upstream" << **route.upstream;
  if (route.split) {
    text << "split";
    for (const auto& share : route.split->weights) text << share.name;
  }
  if (route.redirect) text << "redirect" << route.redirect->to.text() << route.redirect->status;
  if (route.respond) text << "respond" << route.respond->status << route.respond->body;
}

}  // namespace

std::string match_identity(const MatchSettings& match) {
  Text text;
  add(text, match);
  return text.hash_text();
}

std::string route_identity(const RouteSettings& route) {
  Text text;
  add(text, route.match);
  add_destination(text, route);
  return text.hash_text();
}

}  // namespace weir::routing
