#include "plugins/cache/page.h"

#include "plugins/cache/cache_list.h"
#include "plugins/cache/url.h"
#include "unit/exchange_bench.h"

using namespace weir;
using namespace weir::plugins;

namespace {

struct Bench : ExchangeBench {
  StateSlots slots;
  AdminPage page = cache_page(slots);
  std::shared_ptr<CacheList> caches = slots.find<CacheList>("caches", {});
  std::vector<std::shared_ptr<Shelf>> shelves;
  std::vector<std::shared_ptr<const CacheKey>> keys;
  std::vector<std::shared_ptr<const CacheList::Entry>> listed;
  std::shared_ptr<PurgeFeed> images = add("images");
  std::shared_ptr<PurgeFeed> pages = add("pages");

  std::shared_ptr<PurgeFeed> add(const std::string& name, uint64_t max_size = 1 << 20,
                                 const CacheSettings& settings = {}) {
    auto feed = slots.find<PurgeFeed>(name, {name});
    shelves.push_back(slots.find<Shelf>(name, {.max_size = max_size, .max_object = 1024}));
    auto forms = slots.find<KeyForms>(name, {});
    keys.push_back(forms->share(CacheKey(settings, {})));
    listed.push_back(caches->add({name, feed, shelves.back(), forms}));
    return feed;
  }
  uint16_t send(std::string_view method, std::string_view target, std::string_view body = {}) {
    exchange.failure.reset();
    const auto question = target.find('?');
    exchange.request.method = http::method_of(method);
    exchange.request.path = target.substr(0, question);
    exchange.request.query = question == std::string_view::npos ? "" : target.substr(question + 1);
    exchange.request_body = make_in<TextBody>(arena, arena, body);
    auto task = page.origin->handle(exchange);
    REQUIRE(task.start());
    task.take();
    return exchange.response.head.status;
  }
  std::string why() const { return exchange.failure ? std::string(exchange.failure->detail) : ""; }
  Purges::Verdict judge(const PurgeFeed& feed, std::string_view url, std::string_view tag = "none") {
    const auto hash = Purges::hash_of_tag(tag);
    return feed.purges().judge(0, url, std::span(&hash, 1));
  }
};

std::string url(std::string_view text) {
  BlockPool blocks{8 * 1024};
  Arena arena(blocks);
  return std::string(url_of(text, arena).value_or("(none)"));
}

}  // namespace

TEST_CASE("cache page: GET lists the caches and what they hold") {
  Bench bench;
  bench.pages->order({Purge::Kind::all});
  CHECK(bench.page.list(bench.clock) == R"({
  "caches": [
    {
      "name": "images",
      "objects": 0,
      "bytes": 0,
      "max_size": 1048576,
      "evictions": 0,
      "newest_purge": 0
    },
    {
      "name": "pages",
      "objects": 0,
      "bytes": 0,
      "max_size": 1048576,
      "evictions": 0,
      "newest_purge": 1
    }
  ]
}
)");
}

TEST_CASE("cache page: POST orders all caches, or one, to forget, by query or JSON") {
  Bench bench;
  CHECK(bench.send("POST", "/cache/purge?tag=breaking+news") == 200);
  CHECK(bench.body() == R"({
  "purged": [
    "images",
    "pages"
  ],
  "kind": "tag",
  "tag": "breaking news",
  "soft": false
}
)");
  CHECK(bench.judge(*bench.images, "https://a/", "breaking news") == Purges::Verdict::gone);
  CHECK(bench.judge(*bench.pages, "https://a/", "breaking news") == Purges::Verdict::gone);

  CHECK(bench.send("POST", "/cache/purge",
                   R"({"name": "pages", "url": "HTTPS://Example.com:443/a?b", "soft": true})") == 200);
  CHECK(bench.body() == R"({
  "purged": [
    "pages"
  ],
  "kind": "url",
  "url": "https://example.com/a?b",
  "soft": true
}
)");
  CHECK(bench.judge(*bench.images, "https://example.com/a?b") == Purges::Verdict::keep);
  CHECK(bench.judge(*bench.pages, "https://example.com/a?b") == Purges::Verdict::stale);

  CHECK(bench.send("POST", "/cache/purge?name=pages&soft&prefix=https%3A%2F%2Fexample.com") == 200);
  CHECK(bench.judge(*bench.pages, "https://example.com/other") == Purges::Verdict::stale);
  CHECK(bench.send("POST", "/cache/purge?name=pages", R"({"all": true, "soft": false})") == 200);
  CHECK(bench.judge(*bench.pages, "https://other.com/") == Purges::Verdict::gone);
  CHECK(bench.judge(*bench.images, "https://other.com/") == Purges::Verdict::keep);
  CHECK(bench.send("POST", "/cache/purge?all") == 200);
  CHECK(bench.judge(*bench.images, "https://other.com/") == Purges::Verdict::gone);
}

TEST_CASE(
    "cache page: a URL is purged in the forms that the cache's keys have, a prefix with a query for all queries") {
  Bench bench;
  const auto sorted = bench.add("pages", 1 << 20, {.query = {.deny = {"utm"}, .sort = true}});
  CHECK(bench.send("POST", "/cache/purge?name=pages&url=https%3A%2F%2Fa.example%2Fp%3Fb%3D2%26utm%3D1%26a%3D1") == 200);
  CHECK(bench.judge(*sorted, "https://a.example/p?a=1&b=2") == Purges::Verdict::gone);
  CHECK(bench.judge(*sorted, "https://a.example/p?b=2&utm=1&a=1") == Purges::Verdict::gone);  // of another route
  CHECK(bench.judge(*sorted, "https://a.example/p") == Purges::Verdict::keep);
  CHECK(bench.send("POST", "/cache/purge?name=pages&prefix=https%3A%2F%2Fa.example%2Fq%3Futm%3D1") == 200);
  CHECK(bench.judge(*sorted, "https://a.example/q") == Purges::Verdict::gone);
  CHECK(bench.judge(*sorted, "https://a.example/q?a=1") == Purges::Verdict::gone);
  CHECK(bench.judge(*sorted, "https://a.example/q2") == Purges::Verdict::keep);
  CHECK(bench.send("POST", "/cache/purge?name=images&prefix=https%3A%2F%2Fa.example%2Fq%3Fa") == 200);
  CHECK(bench.judge(*bench.images, "https://a.example/q?a=1") == Purges::Verdict::gone);
  CHECK(bench.judge(*bench.images, "https://a.example/q?b=1") == Purges::Verdict::keep);
}

TEST_CASE("cache page: what makes no sense is refused, with the reason, and nothing is forgotten") {
  struct {
    std::string target, body, why;
  } const cases[] = {
      {"", "", "give one of url, prefix, tag and all"},
      {"?name=pages", "", "give one of url, prefix, tag and all"},
      {"?all=false", "", "give one of url, prefix, tag and all"},
      {"?tag=a&tag=b", "", "give only one of url, prefix, tag and all"},
      {"?tag=a", R"({"all": true})", "give only one of url, prefix, tag and all"},
      {"?tag=", "", "the tag is empty, too long or has control characters"},
      {"?tag=a%0Ab", "", "the tag is empty, too long or has control characters"},
      {"?tag", "", "the tag is empty, too long or has control characters"},
      {"?url=/a", "", "'/a' is not a URL; write https://example.com/path"},
      {"?prefix=example.com", "", "'example.com' is not a URL; write https://example.com/path"},
      {"?url=ftp://example.com/", "", "'ftp://example.com/' is not a URL; write https://example.com/path"},
      {"?all=yes", "", "'all' is true or false"},
      {"?all&soft=1", "", "'soft' is true or false"},
      {"?all&soft&soft", "", "'soft' is there twice"},
      {"?all&name=", "", "'name' is empty; leave it out to mean all caches"},
      {"?all&name=a&name=b", "", "'name' is there twice"},
      {"?all&tags=a", "", "unknown 'tags'; there are name, url, prefix, tag, all and soft"},
      {"", R"({"all": true, "purge": false})", "unknown 'purge'; there are name, url, prefix, tag, all and soft"},
      {"", R"({"all": "true"})", "'all' is true or false"},
      {"", R"({"all": true, "soft": false, "soft": true})", "'soft' is there twice"},
      {"", R"({"tag": "a", "tag": "b"})", "'tag' is there twice"},
      {"", R"({"tag": true})", "'tag' is a text"},
      {"", R"({"tag": ["a"]})", "'tag' is neither a text nor true or false"},
      {"", R"({"name": false, "all": true})", "'name' is a text"},
      {"", R"(["all"])", "the body is no JSON object"},
      {"", R"({"all": true)", "the body is no JSON object"},
      {"?all", "all", "the body is no JSON object"},
  };
  Bench bench;
  for (const auto& [target, body, why] : cases) {
    CAPTURE(target);
    CAPTURE(body);
    CHECK(bench.send("POST", "/cache/purge" + target, body) == 400);
    CHECK(bench.why() == why);
  }
  CHECK(bench.send("POST", "/cache/purge", std::string(100'000, '[')) == 413);
  CHECK(bench.send("POST", "/cache/purge?all", std::string(60'000, '[')) == 400);
  CHECK(bench.send("POST", "/cache/purge?all&name=nobody") == 404);
  CHECK(bench.send("POST", "/cache/purges?all") == 404);
  CHECK(bench.send("POST", "/cache?all") == 405);
  CHECK(bench.response_field("allow") == "GET, HEAD");
  CHECK(bench.send("GET", "/cache/purge?all") == 405);
  CHECK(bench.response_field("allow") == "POST");
  CHECK(bench.pages->purges().newest() == 0);
  CHECK(bench.images->purges().newest() == 0);
}

TEST_CASE("cache list: keeps none alive, and shows the newest of a name once") {
  Bench bench;
  bench.add("pages");
  bench.add("pages", 2 << 20);
  REQUIRE(bench.caches->all().size() == 2);
  CHECK(bench.caches->all()[1]->shelf->settings().max_size == 2 << 20);
  bench.shelves.pop_back();
  bench.listed.pop_back();
  CHECK(bench.caches->all()[1]->shelf->settings().max_size == 1 << 20);
  bench.listed.resize(1);
  REQUIRE(bench.caches->all().size() == 1);
  CHECK(bench.caches->all()[0]->feed == bench.images);
}

TEST_CASE(
    "cache url: scheme and host are in lower case, the scheme's own port is left out, the path is in normal form") {
  CHECK(url("HTTPS://Example.COM:443/A?C=D&&") == "https://example.com/A?C=D&&");
  CHECK(url("http://example.com:80/") == "http://example.com/");
  CHECK(url("http://example.com:443/") == "http://example.com:443/");
  CHECK(url("https://example.com:/") == "https://example.com/");
  CHECK(url("https://example.com") == "https://example.com/");
  CHECK(url("https://example.com?a") == "https://example.com/?a");
  CHECK(url("https://example.com/?") == "https://example.com/?");
  CHECK(url("https://[::1]:8443/a") == "https://[::1]:8443/a");
  CHECK(url("https://example.com/a/../%7eb/%2f%5c?%7e/..") == "https://example.com/~b/%2F%5C?%7e/..");
  for (const auto* text :
       {"", "/", "*", "example.com", "example.com:443", "https:/example.com/", "https:///a", "ftp://a/",
        "https://me@example.com/", "https://example.com/#top", "https://example.com/a b", "https://example.com:99999/",
        "https://example.com/..", "https://example.com/%zz", "//example.com/"}) {
    CAPTURE(text);
    CHECK(url(text) == "(none)");
  }
}

TEST_CASE("cache url: what others begin with stays as it is behind the host") {
  BlockPool blocks{8 * 1024};
  Arena arena(blocks);
  CHECK(url_prefix_of("HTTPS://Example.COM:443/A/.", arena) == "https://example.com/A/.");
  CHECK(url_prefix_of("https://example.com/a%2", arena) == "https://example.com/a%2");
  CHECK(url_prefix_of("https://example.com", arena) == "https://example.com/");
  CHECK_FALSE(url_prefix_of("https:", arena));
  CHECK_FALSE(url_prefix_of("/a/", arena));
}
