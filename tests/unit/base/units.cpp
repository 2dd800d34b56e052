#include "base/units.h"

#include <doctest/doctest.h>

using namespace weir;
using namespace std::chrono_literals;

TEST_CASE("units: a duration is a number and a unit") {
  CHECK(parse_duration("250ms") == 250ms);
  CHECK(parse_duration("2s") == 2s);
  CHECK(parse_duration("5m") == 5min);
  CHECK(parse_duration("1h") == 1h);
  CHECK(parse_duration("1.5s") == 1500ms);
  CHECK(parse_duration("1d") == 24h);
  CHECK(parse_duration("10us") == 10us);
  CHECK(parse_duration("1m30s") == 90s);
  CHECK(parse_duration("1h5m") == 65min);
}

TEST_CASE("units: zero is a duration with and without a unit") {
  CHECK(parse_duration("0") == 0ns);
  CHECK(parse_duration("0s") == 0ns);
}

TEST_CASE("units: what isn't a duration is refused") {
  for (const auto* text : {"", "s", "5", "-1s", "+1s", "1 s", "5x", "off", "1s2", "1e3s", "nan", "inf", "999999999d",
                           ".5s", "30s1m", "1m1m", "1m30", "100000d200000h"}) {
    CAPTURE(text);
    CHECK_FALSE(parse_duration(text));
  }
}

TEST_CASE("units: sizes count in powers of two, or of ten where the unit says so") {
  CHECK(parse_bytes("512") == Bytes{512});
  CHECK(parse_bytes("512B") == Bytes{512});
  CHECK(parse_bytes("64KiB") == Bytes{65536});
  CHECK(parse_bytes("64k") == Bytes{65536});
  CHECK(parse_bytes("1.5MiB") == Bytes{1572864});
  CHECK(parse_bytes("1GiB") == Bytes{1u << 30});
  CHECK(parse_bytes("1MB") == Bytes{1000000});
  CHECK(parse_bytes("20MiB") == Bytes{20u << 20});
  CHECK(parse_bytes("20M") == Bytes{20u << 20});
  CHECK(parse_bytes("20m") == Bytes{20u << 20});
  CHECK(parse_bytes("20MB") == Bytes{20'000'000});
  CHECK(parse_bytes("20mb") == Bytes{20'000'000});
  CHECK(parse_bytes("2g") == Bytes{2ull << 30});
  CHECK(parse_bytes("2K") == Bytes{2048});
  for (const auto* text : {"", "KiB", "-1", "1 KiB", "1kiB/s", "20MM", "99999999999TiB"}) {
    CAPTURE(text);
    CHECK_FALSE(parse_bytes(text));
  }
}

TEST_CASE("units: a rate is a count and a period") {
  CHECK(parse_rate("100/second") == Rate{100, 1s});
  CHECK(parse_rate("100/minute") == Rate{100, 1min});
  CHECK(parse_rate("0.5/s") == Rate{0.5, 1s});
  CHECK(parse_rate("6/m")->per_second() == doctest::Approx(0.1));
  for (const auto* text : {"", "100", "100/sec", "/second", "0/second", "-1/s", "1/", "1/5s"}) {
    CAPTURE(text);
    CHECK_FALSE(parse_rate(text));
  }
}

TEST_CASE("units: a share is a percentage or a fraction of one") {
  CHECK(parse_ratio("50%") == Ratio{0.5});
  CHECK(parse_ratio("0.5") == Ratio{0.5});
  CHECK(parse_ratio("100%") == Ratio{1});
  for (const auto* text : {"", "%", "50", "101%", "-1%", "1.01", "5 %"}) {
    CAPTURE(text);
    CHECK_FALSE(parse_ratio(text));
  }
}

TEST_CASE("units: formatting takes the largest exact unit") {
  CHECK(format(Duration(2s)) == "2s");
  CHECK(format(Duration(1500ms)) == "1500ms");
  CHECK(format(Duration(5min)) == "5m");
  CHECK(format(Duration(0ns)) == "0s");
  CHECK(format(Duration(7ns)) == "7ns");
  CHECK(format(Bytes{65536}) == "64KiB");
  CHECK(format(Bytes{1000}) == "1000B");
  CHECK(format(Bytes{0}) == "0B");
  CHECK(format(Rate{100, 1min}) == "100/minute");
  CHECK(format(Rate{100000, 1s}) == "100000/second");
  CHECK(format(Ratio{0.5}) == "50%");
  CHECK(format(Ratio{0.07}) == "7%");
}

TEST_CASE("units: what is formatted reads back the same") {
  for (const Duration d : {Duration(1ns), Duration(999us), Duration(90s), Duration(36h)})
    CHECK(parse_duration(format(d)) == d);
  for (const uint64_t n : {0ull, 1ull, 1023ull, 1024ull, 10485760ull}) CHECK(parse_bytes(format(Bytes{n})) == Bytes{n});
}
