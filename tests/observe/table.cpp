// SPDX-License-Identifier: BSD-3-Clause
#include "dan/observe/table.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <fstream>
#include <limits>
#include <string>
#include <vector>

#include "dan/geometry/ring.hpp"
#include "dan/integrate/rk4.hpp"
#include "dan/models/lorenz96.hpp"
#include "dan/observe/interpolate.hpp"
#include "dan/observe/subset.hpp"
#include "dan/observe/table_file.hpp"
#include "dan/problem/truth.hpp"
#include "support/battery.hpp"
#include "support/temporary_folder.hpp"

using namespace dan;
using test::TemporaryFolder;

namespace {
using Table = ObservationTable<Ring<8>, 2>;
constexpr double none = std::numeric_limits<double>::quiet_NaN();
constexpr double infinite = std::numeric_limits<double>::infinity();

Table table_of(const std::vector<double>& times) {
  Table table;
  for (const double time : times)
    table.add({time, {{static_cast<double>(table.rows().size())}, 1}, 10 * time, 0.5});
  return table;
}

/// A square with two coordinates.
struct Square {
  static constexpr std::size_t dimensions = 2, corners = 1;
  static std::array<Corner, corners> corners_of(const std::array<double, 2>& position) {
    if (position[1] > 1) throw ConfigError("Square: outside");
    return {Corner{0, 1}};
  }
};

template <class T>
void check_same(const T& a, const T& b) {
  REQUIRE(a.rows().size() == b.rows().size());
  for (std::size_t n = 0; n < a.rows().size(); ++n) {
    const auto &x = a.rows()[n], &y = b.rows()[n];
    CHECK(test::same_bits(x.time, y.time));
    CHECK(test::all_same_bits(x.place.position, y.place.position));
    CHECK(x.place.channel == y.place.channel);
    CHECK(test::same_bits(x.value, y.value));
    CHECK(test::same_bits(x.deviation, y.deviation));
  }
}

template <class T = Table>
void check_file_error(const std::string& name, const std::string& bytes,
                      const std::string& message) {
  const TemporaryFolder folder;
  std::ofstream(folder / name, std::ios::binary) << bytes;
  const auto load = [&] {
    const auto table = load_observations<typename T::Geometry, T::channels>(folder / name);
    return table.rows().size();
  };
  CHECK_THROWS_WITH_AS(load(), doctest::Contains(message.c_str()), FileError);
}
}  // namespace

TEST_CASE("table: a cycle has the observations that are nearest to it") {
  const Table table = table_of({0.2, 0.99, 1.5, 1.5, 2.4, 2.5, 7.1});
  const CycleTimes times;
  const auto first = [&](std::size_t cycle, const CycleTimes& at) {
    std::vector<double> found;
    for (const auto& row : rows_of(table, at, cycle)) found.push_back(row.time);
    return found;
  };
  using Times = std::vector<double>;
  CHECK(first(0, times) == Times{0.2});
  CHECK(first(1, times) == Times{0.99});
  CHECK(first(2, times) == Times{1.5, 1.5, 2.4});  // between two cycles: of the later one
  CHECK(first(3, times) == Times{2.5});
  for (const std::size_t gap : {4U, 5U, 6U, 8U, 1000000U}) CHECK(first(gap, times).empty());
  CHECK(first(7, times) == Times{7.1});
  CHECK(last_cycle(table, times) == 7);
  CHECK(most_in_a_cycle(table, times) == 3);

  const CycleTimes shifted{.start = -1, .interval = 2};
  CHECK(first(1, shifted) == Times{0.2, 0.99, 1.5, 1.5});
  CHECK(last_cycle(table, shifted) == 4);
  CHECK(last_cycle(table, {.start = 100}) == 0);
  CHECK(last_cycle(Table{}, times) == 0);
  CHECK(most_in_a_cycle(Table{}, times) == 0);
  Table far;  // of no loop over cycles
  far.add({1, {{3.0}, 0}, 1, 1});
  far.add({1e11, {{3.0}, 0}, 1, 1});
  CHECK(most_in_a_cycle(far, {.interval = 1}) == 1);
  CHECK_THROWS_AS((void)last_cycle(far, {.interval = 1e-3}), ConfigError);
  CHECK_THROWS_AS((void)most_in_a_cycle(far, {.interval = 1e-3}), ConfigError);
}

TEST_CASE("table: times of cycles that are no exact numbers") {
  Table table;
  for (std::size_t k = 1; k <= 5000; ++k) table.add({0.05 * static_cast<double>(k), {}, 0, 1});
  const CycleTimes times{.interval = 0.05, .tolerance = 1e-6};
  bool one = true;
  for (std::size_t k = 1; k <= 5000; ++k) one = one && rows_of(table, times, k).size() == 1;
  CHECK(one);
  CHECK(last_cycle(table, times) == 5000);
}

TEST_CASE("table: rows become slots, the others are silent") {
  Table table;
  table.add({1, {{1.5}, 1}, 7, 0.5});
  table.add({1, {{6}, 0}, 8, 2});
  table.add({2, {{3}, 0}, 9, 1});
  using Operator = ObserveAt<Ring<8>, 3, 2>;
  observed_t<Operator, double, 2> observed;
  set_observations(observed, 1, rows_of(table, {}, 1));
  CHECK(observed.values.at(0, 1) == 7);
  CHECK(observed.precision.at(0, 1) == 4);
  CHECK(observed.values.at(1, 1) == 8);
  CHECK(observed.precision.at(1, 1) == 0.25);
  CHECK(observed.precision.at(2, 1) == 0);
  CHECK(observed.places.sight(1, 0).place.position[0] == 1.5);
  CHECK(observed.places.sight(1, 0).place.channel == 1);
  CHECK_FALSE(observed.places.sees(1, 2));
  CHECK(observed.precision.at(0, 0) == 0);

  set_observations(observed, 1, rows_of(table, {}, 5));  // a gap
  for (std::size_t j = 0; j < 3; ++j) CHECK(observed.precision.at(j, 1) == 0);

  observed_t<ObserveAt<Ring<8>, 1, 2>, double> small;
  CHECK_THROWS_WITH_AS(set_observations(small, 0, rows_of(table, {}, 1)),
                       doctest::Contains("set_observations: rows has 2 observations, expected at "
                                         "most 1, the slots of the operator; give it more"),
                       ConfigError);
}

TEST_CASE("table: bad rows are named by number and column") {
  Table table = table_of({1, 2});
  const auto check = [&](const Table::Row& row, const std::string& message) {
    CHECK_THROWS_WITH_AS(table.add(row),
                         doctest::Contains(("ObservationTable: row 3, column " + message).c_str()),
                         ConfigError);
    CHECK(table.rows().size() == 2);
  };
  check({none, {{1}, 0}, 1, 1}, "time is nan, expected a finite number");
  check({1.5, {{1}, 0}, 1, 1}, "time is 1.5, expected at least 2, that of the row before; sort");
  check({3, {{1}, 2}, 1, 1}, "channel is 2, expected less than 2");
  check({3, {{1}, 0}, none, 1}, "value is nan, expected a finite number; leave out");
  check({3, {{1}, 0}, 1, 0}, "deviation is 0, expected a finite number greater than zero");
  check({3, {{1}, 0}, 1, infinite}, "deviation is inf, expected");
  check({3, {{8}, 0}, 1, 1},
        "place is outside the domain: Ring::corners_of: position is 8, expected a number from 0");
  check({3, {{none}, 0}, 1, 1}, "place is outside the domain");
}

TEST_CASE("table: bad times of cycles, and rows far from their cycle") {
  const Table table = table_of({1, 2.25});
  const auto rows = [&](const CycleTimes& times) { return rows_of(table, times, 2).size(); };
  CHECK(rows({.tolerance = 0.25}) == 1);
  CHECK_THROWS_WITH_AS(rows({.tolerance = 0.2}),
                       doctest::Contains("rows_of: row 2, column time is 2.25, 0.25 intervals from "
                                         "cycle 2, expected at most 0.2; choose"),
                       ConfigError);
  CHECK_THROWS_WITH_AS(rows({.start = none}), doctest::Contains("start is nan"), ConfigError);
  CHECK_THROWS_WITH_AS(rows({.interval = 0}), doctest::Contains("interval is 0"), ConfigError);
  CHECK_THROWS_WITH_AS(rows({.tolerance = 0.6}), doctest::Contains("tolerance is 0.6, expected"),
                       ConfigError);
  CHECK_THROWS_AS(static_cast<void>(last_cycle(table, {.interval = -1})), ConfigError);
}

TEST_CASE("table: files are read again, bit for bit, in both formats") {
  using Operator = ObserveRandomPlaces<Ring<40>, 20>;
  using Lorenz = Problem<Rk4<Lorenz96<40>>, Operator>;
  TwinTruth<Lorenz, 2> twin({.observe = Operator(0, 20), .start = {.spin_up = 20}}, {});
  ObservationTable<Ring<40>> table;
  for (int cycle = 1; cycle <= 5; ++cycle) {
    twin.next();
    add_observations(table, 0.05 * cycle, Operator(), twin.observed(), 1);
  }
  REQUIRE(table.rows().size() > 20);
  const TemporaryFolder folder;
  for (const char* name : {"a.csv", "a.npy"}) {
    save_observations(folder / name, table);
    check_same(load_observations<Ring<40>>(folder / name), table);
  }
  // From the table back to what the twin saw.
  observed_t<Operator, double> observed;
  set_observations(observed, 0, rows_of(table, {.interval = 0.05}, 5));
  bool same = true;
  for (std::size_t j = 0; j < 20; ++j) {
    same = same && observed.values.at(j, 0) == twin.observed().values.at(j, 1) &&
           observed.precision.at(j, 0) == twin.observed().precision.at(j, 1);
    if (observed.precision.at(j, 0) > 0)
      same = same && observed.places.sight(0, j).place.position ==
                         twin.observed().places.sight(1, j).place.position;
  }
  CHECK(same);

  ObservationTable<Square, 3> plane;
  plane.add({1, {{0.5, 0.25}, 2}, 3, 1});
  for (const char* name : {"b.csv", "b.npy"}) {
    save_observations(folder / name, plane);
    check_same(load_observations<Square, 3>(folder / name), plane);
  }
}

TEST_CASE("table: a twin experiment of elements is written with their places") {
  const ObserveSubset<8, 2, 2> subset({3, 14});
  Observations<double, 2> observed;
  set_observations(observed, 0, std::vector<double>{1, 2}, std::vector<double>{4, 1});
  Table table;
  add_observations(table, 3, subset, observed);
  REQUIRE(table.rows().size() == 2);
  CHECK(table.rows()[0].place.position[0] == 1);
  CHECK(table.rows()[0].place.channel == 1);
  CHECK(table.rows()[0].deviation == 2);
  CHECK(table.rows()[1].place.position[0] == 7);
  CHECK(table.rows()[1].value == 2);
}

TEST_CASE("table: a file by hand, columns in any order") {
  const TemporaryFolder folder;
  std::ofstream(folder / "a.csv") << "value,time,deviation,place\n1.5,0,1,7.5\n2,0.1,0.5,0\n";
  const auto table = load_observations<Ring<8>>(folder / "a.csv");
  REQUIRE(table.rows().size() == 2);
  CHECK(table.rows()[0].value == 1.5);
  CHECK(table.rows()[0].place.position[0] == 7.5);
  CHECK(table.rows()[1].time == 0.1);
  CHECK(table.rows()[1].deviation == 0.5);
  CHECK(table.rows()[1].place.channel == 0);
}

TEST_CASE("table: errors of files name the line and the column") {
  const std::string head = "time,place,channel,value,deviation\n";
  check_file_error("a.csv", head + "1,2,0,3,1\n0.5,2,0,3,1\n",
                   "a.csv: row 2 (line 3), column time is 0.5, expected at least");
  check_file_error("a.csv", head + "1,2,0,3,-1\n", "row 1 (line 2), column devia");
  check_file_error("a.csv", head + "1,9,0,3,1\n", "column place is outside the domain: Ring");
  check_file_error("a.csv", head + "1,2,0.5,3,1\n",
                   "row 1 (line 2), column channel is 0.5, expected a whole number from 0 to 1");
  check_file_error("a.csv", head + "1,2,2,3,1\n", "column channel is 2, expected a whole number");
  check_file_error("a.csv", head + "1,2,0,3\n", "line 2 has 4 fields, expected 5");
  check_file_error("a.csv", "time,place,channel,value\n1,2,0,3\n",
                   "line 1 lacks the column 'deviation', expected the columns "
                   "time,place,channel,value,deviation in any order");
  check_file_error("a.csv", "time,place,value,deviation,x\n1,2,3,1,0\n",
                   "line 1 has the column 'x', expected the columns time,place");
  check_file_error<ObservationTable<Square>>("a.csv", head + "1,2,0,3,1\n",
                                             "expected the columns time,place_1,place_2,channel");
  check_file_error("a.csv", "time,place,value,deviation\n1,2,3,1\n",
                   "line 1 lacks the column 'channel', expected the columns time,place,channel");
  check_file_error("a.txt", head, "a.txt ends in '.txt', expected a name that ends in .csv or");

  const TemporaryFolder folder;
  const auto load = [&] { return load_observations<Ring<8>>(folder / "a.npy").rows().size(); };
  save_npy<2>(folder / "a.npy", zero_tensor<double>(3, 4));
  CHECK_THROWS_WITH_AS(load(),
                       doctest::Contains("has shape (3, 4), expected (3, 5), the columns time,pl"),
                       FileError);
  save_npy<2>(folder / "a.npy", zero_tensor<double>(3, 5));
  CHECK_THROWS_WITH_AS(load(), doctest::Contains("a.npy: row 1, column deviation is 0"), FileError);
  CHECK_THROWS_WITH_AS(save_observations(folder / "a", Table{}),
                       doctest::Contains("save_observations: "), FileError);
  CHECK(folder.files() == 1);
}
