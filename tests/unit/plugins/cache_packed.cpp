#include <doctest/doctest.h>

#include "plugins/cache/storage/packed.h"

namespace weir::plugins {
namespace {

using namespace std::chrono_literals;

struct Bench {
  BlockPool blocks{8 * 1024};
  Arena arena{blocks};
  Moments at{Time(1h), std::chrono::system_clock::time_point(1000h)};

  std::shared_ptr<Object> object(std::string_view body) {
    http::ResponseHead head(arena);
    head.status = 404;
    head.headers.add("ETag", "\"1\"");
    head.headers.add("Surrogate-Key", "a");
    head.headers.add("X-Empty", "");
    auto content = std::make_shared<Content>(body.size());
    content->append(body);
    content->finish();
    const Object::Terms terms{at.now - 5s, 60s, 7s, 8s, true, false};
    auto made = std::make_shared<Object>(head, terms, std::move(content),
                                         [](const http::Header& header) { return header.name == "Surrogate-Key"; });
    made->selection.members = {{"accept-language", "en", false}, {"x", "", true}};
    made->tags = {1, 2};
    made->took = 3ms;
    return made;
  }
};

std::string body_of(const Object& object) {
  std::string text;
  Content::Reader reader(*object.content);
  for (auto piece = reader.next(UINT64_MAX); !piece.bytes.empty(); piece = reader.next(UINT64_MAX)) text += piece.bytes;
  return text;
}

}  // namespace

TEST_CASE("cache, packed: another process has all of the object, as old as it was") {
  Bench bench;
  const std::string body(200'000, 'b');
  const auto original = bench.object(body);
  const auto text = pack(*original, "key", "17-0", bench.at);
  const Moments later{Time(50h), bench.at.wall + 10s};  // another machine's clock has begun elsewhere
  const auto there = unpack(text, "key", later, bench.arena);
  REQUIRE(there.has_value());
  const auto& object = *there->object;
  CHECK(there->purge_id == "17-0");
  CHECK(object.status == 404);
  CHECK(object.age(later.now) == 15s);
  CHECK(object.terms.lifetime == 60s);
  CHECK(object.terms.while_revalidate == 7s);
  CHECK(object.terms.if_error == 8s);
  CHECK(object.terms.must_revalidate);
  CHECK_FALSE(object.terms.always_revalidate);
  CHECK(object.took == 3ms);
  CHECK(object.selection == original->selection);
  CHECK(object.tags == original->tags);
  CHECK(object.fields().size() == 3);
  CHECK(object.shown().size() == 2);
  CHECK(object.validators().etag == "\"1\"");
  CHECK(body_of(object) == body);
}

TEST_CASE("cache, packed: a body in pieces is left to the caller, who knows its size and where they are") {
  Bench bench;
  const auto text = pack(*bench.object("body"), "key", "1-1", bench.at, Pieces{.id = 7, .size = 4});
  CHECK(text.find("body") == std::string::npos);
  const auto there = unpack(text, "key", bench.at, bench.arena);
  REQUIRE(there.has_value());
  REQUIRE(there->pieces.has_value());
  CHECK(there->pieces->id == 7);
  CHECK(there->pieces->size == 4);
  auto& content = *there->object->content;
  CHECK(content.state() == Content::State::growing);
  CHECK(content.announced() == 4);
  content.append("body");
  content.finish();
  CHECK(body_of(*there->object) == "body");
}

TEST_CASE("cache, packed: a clock that is behind makes nothing younger than new") {
  Bench bench;
  const auto text = pack(*bench.object("b"), "key", "", bench.at);
  const auto there = unpack(text, "key", {bench.at.now, bench.at.wall - 1h}, bench.arena);
  REQUIRE(there.has_value());
  CHECK(there->object->age(bench.at.now) == 0s);
}

TEST_CASE("cache, packed: what is kept under another key, cut short or tampered with is none") {
  Bench bench;
  const auto text = pack(*bench.object("body"), "key", "1-1", bench.at);
  CHECK_FALSE(unpack(text, "kez", bench.at, bench.arena).has_value());
  CHECK_FALSE(unpack(text + "x", "key", bench.at, bench.arena).has_value());
  for (size_t size = 0; size < text.size(); ++size) {
    CHECK_FALSE(unpack(std::string_view(text).substr(0, size), "key", bench.at, bench.arena).has_value());
  }
  for (size_t at = 0; at < text.size(); ++at) {  // whatever it says then, it is read within its bounds
    auto changed = text;
    changed[at] = static_cast<char>(changed[at] ^ 0xff);
    (void)unpack(changed, "key", bench.at, bench.arena);
  }
}

TEST_CASE("cache, packed: a stored response that would break out of its head is none") {
  Bench bench;
  const auto text = pack(*bench.object("body"), "key", "1-1", bench.at);
  const auto with = [&](std::string_view old, std::string_view now) {
    auto changed = text;
    changed.replace(changed.find(old), old.size(), now);
    return unpack(changed, "key", bench.at, bench.arena).has_value();
  };
  CHECK(with("X-Empty", "X-Other"));
  CHECK_FALSE(with("X-Empty", "X\r\nEmpt"));
  CHECK_FALSE(with("X-Empty", "Upgrade"));
  CHECK_FALSE(with("\"1\"", "\"\r\n"));
  CHECK(with("Surrogate-Key", "Surrogate_Key"));
  CHECK_FALSE(with("Surrogate-Key", "Surrogate Key"));
  CHECK_FALSE(with(std::string_view("\x94\x01", 2), std::string_view("\x64\x00", 2)));  // status 404, 100
}

}  // namespace weir::plugins
