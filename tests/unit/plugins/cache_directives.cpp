#include "plugins/cache/rules/directives.h"

#include <doctest/doctest.h>

#include <vector>

#include "unit/plugins/cache_fields.h"

using namespace weir;
using namespace weir::plugins;

namespace {

constexpr uint32_t kMost = uint32_t{1} << 31;
const std::vector<std::string> kTargets{"weir-cache-control", "cdn-cache-control"};

// Views of the head that a response's directives came from must not outlive it, so this keeps both.
struct Said {
  explicit Said(Fields::Lines lines) : fields(lines), directives(response_directives(fields, kTargets)) {}
  explicit Said(std::string_view cache_control) : Said({{"Cache-Control", cache_control}}) {}
  const ResponseDirectives* operator->() const { return &directives; }

  Fields fields;
  ResponseDirectives directives;
};

Said targeted(std::string_view cdn) {
  return Said({{"Cache-Control", "max-age=7, no-store"}, {"CDN-Cache-Control", cdn}});
}

RequestDirectives asked(Fields::Lines lines) { return request_directives(Fields(lines)); }
RequestDirectives asked(std::string_view cache_control) { return asked({{"Cache-Control", cache_control}}); }

}  // namespace

TEST_CASE("cache directives: each response directive is known by its name in any case (RFC 9111 section 5.2)") {
  const Said said("NO-STORE, No-Cache, private, public, must-revalidate, proxy-revalidate, must-understand");
  CHECK(said->no_store);
  CHECK(said->no_cache);
  CHECK(said->is_private);
  CHECK(said->is_public);
  CHECK(said->must_revalidate);
  CHECK(said->proxy_revalidate);
  CHECK(said->must_understand);
  CHECK_FALSE(said->no_transform);
  CHECK_FALSE(said->immutable);
  CHECK_FALSE(said->is_targeted);
  CHECK_FALSE(said->max_age);

  const Said more("no-transform,immutable,Max-Age=1,S-MaxAge=2,stale-while-revalidate=3,stale-if-error=4");
  CHECK(more->no_transform);
  CHECK(more->immutable);
  CHECK(more->max_age == 1);
  CHECK(more->s_maxage == 2);
  CHECK(more->stale_while_revalidate == 3);
  CHECK(more->stale_if_error == 4);
  CHECK_FALSE(more->no_store);
}

TEST_CASE("cache directives: arguments come as tokens or quoted strings (RFC 9111 section 5.2)") {
  CHECK(Said("max-age=10")->max_age == 10);
  CHECK(Said("max-age=\"10\"")->max_age == 10);
  CHECK(Said("max-age=0010")->max_age == 10);
  CHECK(Said(" max-age=10\t,")->max_age == 10);
}

TEST_CASE("cache directives: what isn't a number of seconds is none at all (RFC 9111 section 4.2.1)") {
  for (const char* text : {"max-age", "max-age=", "max-age=-1", "max-age=+1", "max-age=1.5", "max-age=1a", "max-age=a1",
                           "max-age='10'", "max-age= 10", "max-age =10", "max-age 10", "max-age=10 20", "max-age=\"10",
                           "max-age=\"10\"0", "max-age=\"\"", "max-age=\" 10\"", "max-age=\"1\\0\"", "max-age=10;x"}) {
    CAPTURE(text);
    CHECK(Said(text)->max_age == 0);
  }
  CHECK(Said("s-maxage=x")->s_maxage == 0);
  CHECK(Said("stale-if-error=x")->stale_if_error == 0);
  CHECK(Said("stale-while-revalidate")->stale_while_revalidate == 0);
}

TEST_CASE("cache directives: a number too large counts as 2^31 (RFC 9111 section 1.2.2)") {
  CHECK(Said("max-age=2147483647")->max_age == kMost - 1);
  for (const char* text : {"max-age=2147483648", "max-age=4294967296", "max-age=18446744073709551617",
                           "max-age=99999999999999999999999999999999"}) {
    CHECK(Said(text)->max_age == kMost);
  }
}

TEST_CASE("cache directives: of a directive that comes twice the more restrictive counts (RFC 9111 section 4.2.1)") {
  CHECK(Said("max-age=5, max-age=10")->max_age == 5);
  CHECK(Said("max-age=10, max-age=5")->max_age == 5);
  CHECK(Said("max-age=10, max-age=x")->max_age == 0);
  CHECK(Said({{"Cache-Control", "max-age=10"}, {"cache-control", "max-age=5"}})->max_age == 5);
  CHECK(Said("private=\"a\", private")->is_private);
}

TEST_CASE("cache directives: all lines count, and empty members of lists don't (RFC 9110 section 5.6.1)") {
  const Said said({{"Cache-Control", ", ,max-age=10,,"}, {"Cache-Control", ""}, {"cache-control", "must-revalidate"}});
  CHECK(said->max_age == 10);
  CHECK(said->must_revalidate);
}

TEST_CASE("cache directives: what an unknown directive has between quotes is its own (RFC 9111 section 5.2.3)") {
  const Said said(R"(community="UCI, max-age=3, \", no-store", x=y, no-storex, max-age=9)");
  CHECK(said->max_age == 9);
  CHECK_FALSE(said->no_store);
  CHECK(Said(R"(x="y, no-store)")->no_store);  // no end: these weren't quotes
  CHECK(Said(R"("x, y", no-store)")->no_store);
  CHECK(Said("=, no-store")->no_store);
}

TEST_CASE("cache directives: with a stray argument restrictions hold and permissions don't (RFC 9111 section 5.2)") {
  const Said said("no-store=1, must-revalidate=\"x\", public=1, immutable=x");
  CHECK(said->no_store);
  CHECK(said->must_revalidate);
  CHECK_FALSE(said->is_public);
  CHECK_FALSE(said->immutable);
  CHECK(Said("no-store now")->no_store);
}

TEST_CASE("cache directives: no-cache and private may name fields (RFC 9111 sections 5.2.2.4 and 5.2.2.7)") {
  const Said said(R"(no-cache="Set-Cookie, x-a", private=X-B)");
  CHECK_FALSE(said->no_cache);
  CHECK_FALSE(said->is_private);
  CHECK(said->no_cache_fields == "Set-Cookie, x-a");
  CHECK(said->private_fields == "X-B");
}

TEST_CASE("cache directives: lists of fields that can't be read name all (RFC 9111 sections 5.2.2.4 and 5.2.2.7)") {
  for (const char* text : {R"(private="")", "private=", R"(private=",")", R"(private="a b")", R"(private="a)",
                           R"(private="a\"b")", R"(private="a"b)", R"(private="a", private="b")"}) {
    CAPTURE(text);
    CHECK(Said(text)->is_private);
  }
  CHECK(Said(R"(no-cache="a, b c")")->no_cache);
}

TEST_CASE("cache directives: Pragma means nothing in a response (RFC 9111 section 5.4)") {
  CHECK_FALSE(Said({{"Pragma", "no-cache"}})->no_cache);
}

TEST_CASE("cache directives: a list of names has them in any case, and whole") {
  CHECK(list_has("Set-Cookie, x-a", "set-cookie"));
  CHECK(list_has("Set-Cookie,x-a", "X-A"));
  CHECK_FALSE(list_has("Set-Cookie, x-a", "cookie"));
  CHECK_FALSE(list_has("", "a"));
}

TEST_CASE("cache directives: a targeted field replaces Cache-Control as a whole (RFC 9213 section 2.2)") {
  const Said said = targeted("max-age=600, must-revalidate");
  CHECK(said->is_targeted);
  CHECK(said->max_age == 600);
  CHECK(said->must_revalidate);
  CHECK_FALSE(said->no_store);
  CHECK(targeted("x")->is_targeted);  // says nothing that is known, but is there
}

TEST_CASE("cache directives: the first valid target that isn't empty counts (RFC 9213 section 2.2)") {
  const auto of_both = [](std::string_view own, std::string_view cdn) {
    return Said({{"CDN-Cache-Control", cdn}, {"Cache-Control", "max-age=3"}, {"Weir-Cache-Control", own}})
        .directives.max_age;
  };
  CHECK(of_both("max-age=1", "max-age=2") == 1);
  CHECK(of_both("", "max-age=2") == 2);
  CHECK(of_both("max-age=", "max-age=2") == 2);
  CHECK(of_both(",", " ") == 3);
}

TEST_CASE("cache directives: the lines of a targeted field are joined (RFC 8941 section 4.2)") {
  const Said said({{"CDN-Cache-Control", "max-age=5"}, {"cdn-cache-control", "no-store"}});
  CHECK(said->max_age == 5);
  CHECK(said->no_store);
}

TEST_CASE("cache directives: a targeted field that isn't a Dictionary is ignored (RFC 9213 section 2.1)") {
  for (const char* text : {"max-age=600,",
                           ",max-age=600",
                           "max-age=600,,x",
                           "Max-Age=600",
                           "max-age=600 no-store",
                           "max-age =600",
                           "max-age= 600",
                           "max-age=\"600",
                           "max-age=1234567890123456",
                           "max-age=-",
                           "max-age=1.",
                           "max-age=1.2345",
                           "max-age=1234567890123.1",
                           "x=?2",
                           "x=?",
                           "x=\"\\a\"",
                           "x=\"\xc3\xa4\"",
                           "x=\"\\",
                           "x=:a",
                           "x=(1",
                           "x=(1 2",
                           "x=(1,2)",
                           "x=(1\"a\")",
                           "x=@1",
                           "x;",
                           "x;=1",
                           "x; y=",
                           "\tmax-age=600",
                           "=1",
                           "max-age=600\t,\t",
                           "x=<"}) {
    CAPTURE(text);
    CHECK_FALSE(targeted(text)->is_targeted);
    CHECK(targeted(text)->max_age == 7);
    CHECK(targeted(text)->no_store);
  }
}

TEST_CASE("cache directives: every type of a Dictionary's members is understood (RFC 8941 section 3)") {
  for (const char* text : {"  max-age=600  ", "x=1,max-age=600", "x=-1.5 ,\t max-age=600", R"(x="a\"\\,", max-age=600)",
                           "x=*a:/b, max-age=600", "x=:YQ==:, max-age=600", "x=?0;a;b=1;c=\"d\" , max-age=600",
                           "x=(1 \"a, b\";p  t);q=?1, max-age=600", "x=(), max-age=600", "*x.y_z-1, max-age=600",
                           "max-age=600;swr=1", "max-age=600; a=b;c"}) {
    CAPTURE(text);
    CHECK(targeted(text)->is_targeted);
    CHECK(targeted(text)->max_age == 600);
  }
}

TEST_CASE("cache directives: a targeted directive of the wrong type is as good as absent (RFC 9213 section 2.1)") {
  for (const char* text : {"max-age=\"600\"", "max-age=600.0", "max-age=-1", "max-age", "max-age=abc", "max-age=(600)",
                           "max-age=600, max-age=x"}) {
    CAPTURE(text);
    CHECK(targeted(text)->is_targeted);
    CHECK_FALSE(targeted(text)->max_age);
  }
  CHECK(targeted("no-store")->no_store);
  CHECK(targeted("no-store=?1;x")->no_store);
  CHECK_FALSE(targeted("no-store=?0")->no_store);
  CHECK_FALSE(targeted("no-store=1")->no_store);
  CHECK_FALSE(targeted("no-store, no-store=?0")->no_store);  // the last counts
  CHECK(targeted("max-age=999999999999999")->max_age == kMost);
}

TEST_CASE("cache directives: a targeted field names fields in a string (RFC 9213 section 2.1)") {
  CHECK(targeted("private")->is_private);
  CHECK(targeted(R"(private="a, b")")->private_fields == "a, b");
  CHECK_FALSE(targeted(R"(private="a, b")")->is_private);
  CHECK(targeted("private=a")->private_fields == "a");
  CHECK(targeted("no-cache=(a b)")->no_cache);
  CHECK(targeted(R"(no-cache="a b")")->no_cache);
  CHECK_FALSE(targeted("private=?0")->is_private);
  CHECK_FALSE(targeted("private, private=?0")->is_private);
}

TEST_CASE("cache directives: a request's directives are read (RFC 9111 section 5.2.1)") {
  const auto words = asked("no-cache, NO-STORE, only-if-cached, no-transform");
  CHECK(words.no_cache);
  CHECK(words.no_store);
  CHECK(words.only_if_cached);
  CHECK(words.no_transform);

  const auto amounts = asked("max-age=1, min-fresh=\"2\", max-stale=3, stale-if-error=4");
  CHECK(amounts.max_age == 1);
  CHECK(amounts.min_fresh == 2);
  CHECK(amounts.max_stale == 3);
  CHECK(amounts.stale_if_error == 4);
  CHECK_FALSE(amounts.no_cache);
}

TEST_CASE("cache directives: max-stale without a number takes any age (RFC 9111 section 5.2.1.2)") {
  CHECK(asked("max-stale").max_stale == kMost);
  CHECK_FALSE(asked("max-stale=").max_stale);
  CHECK_FALSE(asked("max-stale=x").max_stale);
  CHECK(asked("max-stale, max-stale=5").max_stale == 5);
}

TEST_CASE("cache directives: malformed ones of a request are left out, the more demanding of two counts") {
  const auto malformed = asked("max-age=x, min-fresh, stale-if-error=-1");
  CHECK_FALSE(malformed.max_age);
  CHECK_FALSE(malformed.min_fresh);
  CHECK_FALSE(malformed.stale_if_error);

  const auto twice = asked({{"Cache-Control", "max-age=5, min-fresh=5"}, {"Cache-Control", "max-age=3, min-fresh=7"}});
  CHECK(twice.max_age == 3);
  CHECK(twice.min_fresh == 7);
}

TEST_CASE("cache directives: a request's Pragma counts where there is no Cache-Control (RFC 9111 section 5.4)") {
  CHECK(asked({{"Pragma", "x=\"y, z\", No-Cache"}}).no_cache);
  CHECK_FALSE(asked({{"Pragma", "x=\"a, no-cache, b\""}}).no_cache);
  CHECK_FALSE(asked({{"Pragma", "no-cache"}, {"Cache-Control", "max-age=5"}}).no_cache);
  CHECK_FALSE(asked(Fields::Lines{}).no_cache);
}
