#include "config/schema.h"

#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

#include "unit/config/bench.h"

using namespace weir::config;
using nlohmann::json;

namespace {

Description described() {
  static const auto known = filters();
  Tables tables;
  tables.add(known);
  return describe<Proxy>(tables);
}

json schema() { return json::parse(json_schema(described())); }

struct Tree {
  std::vector<Tree> children;
};
void decode(Reader& r, Tree& out) { r.optional("children", out.children, "more of them"); }

}  // namespace

TEST_CASE("schema: every block names its settings and refuses others") {
  const auto root = schema();
  CHECK(root["$schema"] == "http://json-schema.org/draft-07/schema#");
  CHECK(root["additionalProperties"] == false);
  CHECK(root["properties"].size() == 5);
  const auto& upstream = root["properties"]["upstreams"]["additionalProperties"];
  CHECK(upstream["required"] == json({"endpoints"}));
  CHECK(upstream["properties"]["endpoints"]["minItems"] == 1);
}

TEST_CASE("schema: settings carry what they are about and their defaults") {
  const auto root = schema();
  CHECK(root["properties"]["head_limit"]["default"] == "64KiB");
  CHECK(root["properties"]["head_limit"]["description"] == "largest head");
  CHECK(root["properties"]["workers"]["default"] == "auto");
}

TEST_CASE("schema: a shorthand is the bare value or the block") {
  const auto root = schema();
  const auto& endpoint = root["properties"]["upstreams"]["additionalProperties"]["properties"]["endpoints"]["items"];
  CHECK(endpoint["anyOf"].size() == 2);
  CHECK(endpoint["anyOf"][1]["properties"]["weight"]["anyOf"][0]["maximum"] == 100);
}

TEST_CASE("schema: tagged lists know every tag, its settings and words") {
  const auto root = schema();
  const auto& filter = root["properties"]["routes"]["items"]["properties"]["filters"]["items"];
  CHECK(filter["anyOf"][0]["enum"] == json({"request_id", "rate_limit"}));
  const auto& limit = filter["anyOf"][1]["properties"]["rate_limit"];
  CHECK(limit["required"] == json({"rate"}));
  CHECK(limit["properties"]["on_store_failure"]["anyOf"][0]["enum"] == json({"allow", "deny"}));
  CHECK(limit["properties"]["on_store_failure"]["default"] == "allow");
}

TEST_CASE("schema: settings that exclude each other do so there, too") {
  const auto root = schema();
  CHECK(root["properties"]["routes"]["items"]["allOf"][0]["oneOf"].size() == 2);
}

TEST_CASE("schema: a block within itself comes to an end") { CHECK(json_schema(describe<Tree>()).size() > 100); }

TEST_CASE("schema: the reference has a table for each block and a row for each setting") {
  const auto text = reference_markdown(described());
  for (const auto* line : {
           "## The file\n",
           "| `workers` | whole number, at least 1, or `auto` | `auto` | threads |\n",
           "| `head_limit` | size | `64KiB` | largest head |\n",
           "| `password` | text; secret |  | of the store |\n",
           "## `upstreams.NAME.endpoints[]`\n",
           "A bare value stands for `address`.\n",
           "| `rate` | rate | required | requests let through |\n",
           "## `rate_limit`\n",
           "Exactly one of: upstream, respond.\n",
       }) {
    CAPTURE(line);
    CHECK(text.find(line) != std::string::npos);
  }
}
