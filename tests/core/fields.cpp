// SPDX-License-Identifier: BSD-3-Clause
#include "dan/core/fields.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <string>
#include <tuple>

using namespace dan;

namespace {
struct Inner {
  double share = 0.5;
  static constexpr auto fields() {
    return std::tuple(field("share", &Inner::share, Range::share()));
  }
};
struct Outer {
  std::size_t count = 2;
  Inner inner{};
  bool flag = true;
  double ignored = -1;
  static constexpr auto fields() {
    return std::tuple(field("count", &Outer::count, Range::at_least_one()),
                      field("inner", &Outer::inner), field("flag", &Outer::flag));
  }
};
}  // namespace

TEST_CASE("fields: visited in order, those of a member with its name") {
  std::string seen;
  Outer outer;
  for_each_field(outer, [&](const std::string& name, const auto& value, const Range&) {
    seen += to_text(name, "=", value, " ");
  });
  CHECK(seen == "count=2 inner.share=0.5 flag=1 ");
  CHECK_NOTHROW(require_fields("f", outer));
  outer.inner.share = 2;
  CHECK_THROWS_WITH_AS(require_fields("f", outer),
                       "f: inner.share is 2, expected a share from 0 to 1", ConfigError);
  outer.count = 0;
  CHECK_THROWS_WITH_AS(require_fields("f", outer), "f: count is 0, expected at least 1",
                       ConfigError);
}

TEST_CASE("fields: ranges have their ends, and never a NaN") {
  constexpr double nan = std::numeric_limits<double>::quiet_NaN(),
                   infinity = std::numeric_limits<double>::infinity();
  for (const Range range : {Range::any(), Range::from_zero(), Range::from_one(), Range::positive(),
                            Range::at_least_one(), Range::fraction(), Range::share()}) {
    CHECK_FALSE(range.contains(nan));
    CHECK_FALSE(range.contains(infinity));
    CHECK_FALSE(range.contains(-infinity));
  }
  CHECK(Range::share().contains(1));
  CHECK_FALSE(Range::fraction().contains(1));
  CHECK(Range::fraction().contains(0));
  CHECK_FALSE(Range::positive().contains(0));
  CHECK(Range::positive().contains(1e-300));
  CHECK(Range::from_zero().contains(0));
}

TEST_CASE("fields: set by name, or refused and unchanged") {
  Outer outer;
  set_field("f", outer, "count", "7");
  set_field("f", outer, "inner.share", "0.25");
  set_field("f", outer, "flag", "0");
  CHECK(outer.count == 7);
  CHECK(outer.inner.share == 0.25);
  CHECK_FALSE(outer.flag);
  CHECK_THROWS_WITH_AS(set_field("f", outer, "ignored", "1"),
                       "f: there is no field ignored, expected one of: count, inner.share, flag",
                       ConfigError);
  for (const char* wrong : {"0", "-1", " -1", " 7", "2.5", "3x", "", "many", "1e3"})
    CHECK_THROWS_AS(set_field("f", outer, "count", wrong), ConfigError);
  CHECK_THROWS_WITH_AS(set_field("f", outer, "count", "1e9"),
                       doctest::Contains("count is 1e9, expected a whole number"), ConfigError);
  CHECK_THROWS_WITH_AS(set_field("f", outer, "inner.share", "1.5"),
                       "f: inner.share is 1.5, expected a share from 0 to 1", ConfigError);
  CHECK_THROWS_AS(set_field("f", outer, "flag", "2"), ConfigError);
  CHECK(outer.count == 7);
  CHECK(outer.inner.share == 0.25);
}
