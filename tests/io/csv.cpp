// SPDX-License-Identifier: BSD-3-Clause
#include "dan/io/csv.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <cstddef>
#include <filesystem>
#include <fstream>
#include <limits>
#include <string>
#include <vector>

#include "dan/core/random.hpp"
#include "support/battery.hpp"
#include "support/temporary_folder.hpp"

using namespace dan;
using test::TemporaryFolder;

namespace {
CsvTable read(const std::string& bytes) {
  const TemporaryFolder folder;
  std::ofstream(folder / "a.csv", std::ios::binary) << bytes;
  return load_csv(folder / "a.csv");
}
void check_error(const std::string& bytes, const std::string& message) {
  CHECK_THROWS_WITH_AS(read(bytes), doctest::Contains(message.c_str()), FileError);
}
}  // namespace

TEST_CASE("csv: names and numbers, with blanks, CR LF, a mark of UTF-8 and no last line end") {
  for (const std::string bytes :
       {"a,b\n1,2.5\n-3e-2,4\n", "a,b\n1,2.5\n-3e-2,4", " a ,\tb\r\n1, 2.5\r\n -3e-2,4 \r\n",
        "\xEF\xBB\xBF"
        "a,b\n1,2.5\n-3e-2,4\n"}) {
    const auto table = read(bytes);
    CHECK(table.columns == std::vector<std::string>{"a", "b"});
    REQUIRE(table.numbers.shape()[0] == 2);
    REQUIRE(table.numbers.shape()[1] == 2);
    CHECK(table.numbers(0, 0) == 1);
    CHECK(table.numbers(0, 1) == 2.5);
    CHECK(table.numbers(1, 0) == -0.03);
    CHECK(table.numbers(1, 1) == 4);
  }
  CHECK(read("a\n").numbers.shape()[0] == 0);
  CHECK(std::isnan(read("a\nnan\n").numbers(0, 0)));
}

TEST_CASE("csv: what is written is read again, bit for bit") {
  const TemporaryFolder folder;
  CsvTable table{{"x", "y z"}, zero_tensor<double>(50, 2)};
  fill_normal<double>({.seed = 3}, span_of(table.numbers));
  for (std::size_t r = 0; r < 50; ++r)
    table.numbers(r, 0) *= std::pow(10.0, 12.0 * static_cast<double>(r) - 300);
  table.numbers(0, 1) = -0.0;
  table.numbers(1, 1) = std::numeric_limits<double>::denorm_min();
  table.numbers(2, 1) = std::numeric_limits<double>::infinity();
  save_csv(folder / "a.csv", table);
  const auto again = load_csv(folder / "a.csv");
  CHECK(again.columns == table.columns);
  CHECK(test::all_same_bits(span_of(again.numbers), span_of(table.numbers)));
  CHECK(folder.files() == 1);
}

TEST_CASE("csv: errors name the file, the line and the column") {
  check_error("", "a.csv: line 1 is missing, expected the names of the columns");
  check_error("a;b\n1;2\n", "line 1 has a semicolon, expected commas between columns");
  check_error("# a,b\n1,2\n", "line 1 begins with '#', expected the names of the columns");
  check_error("a,,b\n", "line 1 has no name for column 2, expected");
  check_error("a,b,a\n", "line 1 names the column 'a' twice, expected different names");
  check_error("a,b\n1,2\n1\n", "line 3 has 1 fields, expected 2, one per column");
  check_error("a,b\n1,2,\n", "line 2 has 3 fields, expected 2");
  check_error("a,b\n1,2\n\n3,4\n", "line 3 has 1 fields, expected 2");
  check_error("a,b\n1,2\n3,x\n", "line 3, column b is 'x', expected a number with a decimal point");
  check_error("a,b\n1,\n", "line 2, column b is '', expected a number");
  check_error("a,b\n1 2,3\n", "line 2, column a is '1 2', expected a number");
  check_error("a\n1e999\n", "line 2, column a is '1e999', expected a number of double");
  check_error("a\n\"1\"\n", "line 2, column a is '\"1\"', expected a number");
  CHECK_THROWS_WITH_AS(static_cast<void>(load_csv("/nowhere/a.csv")),
                       doctest::Contains("load_csv: cannot read"), FileError);
}

TEST_CASE("csv: what could not be read again is not written") {
  const TemporaryFolder folder;
  const auto save = [&](const std::vector<std::string>& names, std::size_t columns) {
    save_csv(folder / "a.csv", {names, zero_tensor<double>(2, columns)});
  };
  CHECK_THROWS_WITH_AS(save({"a"}, 2), doctest::Contains("shape (2, 2), expected (2, 1)"),
                       ShapeError);
  CHECK_THROWS_AS(save({}, 0), ShapeError);
  for (const char* name : {"", "b,c", " b", "\tb", "b\t", "b\n", "\"b\"", "a"})
    CHECK_THROWS_WITH_AS(save({"a", name}, 2), doctest::Contains("the name of column "),
                         ConfigError);
  CHECK_THROWS_AS(save({"\xEF\xBB\xBF"
                        "a"},
                       1),
                  ConfigError);  // a mark that reading takes away
  CHECK(folder.files() == 0);
}
