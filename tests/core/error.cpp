// SPDX-License-Identifier: BSD-3-Clause
#include "dan/core/error.hpp"

#include <doctest/doctest.h>

#include <limits>
#include <locale>
#include <stdexcept>
#include <string>
#include <type_traits>

TEST_CASE("error: text joins its arguments and tells close numbers apart") {
  CHECK(dan::to_text("a", 1, ' ', 2.5) == "a1 2.5");
  CHECK(dan::to_text(0.1) == "0.1");
  CHECK(dan::to_text(1.00000001) == "1.00000001");
}

TEST_CASE("error: text does not depend on the program's locale") {
  struct Grouping : std::numpunct<char> {
    std::string do_grouping() const override { return "\3"; }
    char do_decimal_point() const override { return ','; }
  };
  const std::locale before = std::locale::global(std::locale(std::locale(), new Grouping));
  const std::string text = dan::to_text(20000, " ", 0.5);
  std::locale::global(before);
  CHECK(text == "20000 0.5");
}

TEST_CASE("error: kinds") {
  CHECK(std::is_base_of_v<std::invalid_argument, dan::ShapeError>);
  CHECK(std::is_base_of_v<std::invalid_argument, dan::ConfigError>);
  CHECK(std::is_base_of_v<std::runtime_error, dan::NumericalError>);
  CHECK(std::is_base_of_v<std::runtime_error, dan::FileError>);
}

TEST_CASE("error: checks pass good values and name function, argument, found and expected") {
  CHECK_NOTHROW(dan::require_positive("f", "variance", 0.5));
  CHECK_NOTHROW(dan::require_at_least("f", "runs", 2, 2));
  CHECK_NOTHROW(dan::require_size("f", "x", 3, 3, "point"));

  for (const double bad : {0.0, -1.0, std::numeric_limits<double>::infinity(),
                           std::numeric_limits<double>::quiet_NaN()})
    CHECK_THROWS_AS(dan::require_positive("f", "variance", bad), dan::ConfigError);
  CHECK_THROWS_WITH(dan::require_positive("f", "variance", -1.0F),
                    "f: variance is -1, expected a finite number greater than zero");
  CHECK_THROWS_AS(dan::require_at_least("f", "runs", 1, 2), dan::ConfigError);
  CHECK_THROWS_WITH(dan::require_at_least("f", "runs", 1, 2), "f: runs is 1, expected at least 2");
  CHECK_THROWS_AS(dan::require_size("f", "x", 2, 3, "point"), dan::ShapeError);
  CHECK_THROWS_WITH(dan::require_size("f", "x", 2, 3, "point"),
                    "f: x has shape (2), expected (3), one per point");
}
