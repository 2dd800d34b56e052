// Whatever a file holds, reading it ends in a value or in problems.

#include <cstdint>
#include <string>

#include "config/loader.h"

namespace {

using namespace weir;
using namespace weir::config;

struct Leaf {
  Duration time{};
  Bytes size;
  Rate rate;
  Ratio share;
  uint16_t port = 0;
};
void decode(Reader& r, Leaf& out) {
  r.shorthand("time", Shorthand::scalar_or_list);
  r.optional("time", out.time, "", at_least(std::chrono::milliseconds(1)));
  r.optional("size", out.size, "");
  r.optional("rate", out.rate, "");
  r.optional("share", out.share, "");
  r.optional("port", out.port, "", at_least(1));
}

struct Sample {
  std::vector<Named<std::vector<Leaf>>> names;
  std::optional<Located<std::string>> text;
  std::vector<Tagged<int>> tags;
};
void decode(Reader& r, Sample& out) {
  static const Tags<int> kTags{tag<Leaf, int>("leaf", "", [](const Leaf&, auto) { return 1; })};
  r.optional("names", out.names, "", list_of_one);
  r.required("text", out.text, "", non_empty, secret);
  r.tagged_list("tags", out.tags, kTags, "");
  r.at_most_one_of({"names", "tags"});
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  Problems problems;
  const std::string text(reinterpret_cast<const char*>(data), size);
  const auto document = load_text("fuzz", text, problems, [](auto&) { return std::nullopt; });
  Value effective;
  decode_document<Sample>(document, problems, {}, &effective);
  (void)(problems.text().size() + problems.json().size() + to_yaml(effective).size() + to_json(effective).size());
  return 0;
}
