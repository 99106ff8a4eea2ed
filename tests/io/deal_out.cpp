// SPDX-License-Identifier: BSD-3-Clause
#include "dan/io/deal_out.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <cstddef>
#include <limits>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "support/thread_ranks.hpp"

using namespace dan;
using test::ThreadRanks;

TEST_CASE("broadcast_value: everyone has what one has found") {
  using Json = nlohmann::ordered_json;
  const Json json{{"z", 0.1}, {"a", {1, -2, nullptr}}, {"inf", INFINITY}};
  ThreadRanks::run(3, [&](const ThreadRanks& ranks) {
    const bool mine = ranks.rank() == 2;
    double number = mine ? 0.1 : 0;
    std::string word = mine ? "two" : "something longer";
    std::vector<std::string> words{mine ? 2U : 1U, word};
    std::vector<std::vector<double>> rows;
    if (mine) rows = {{}, {1, std::nan("")}, {-0.0}};
    Json row = mine ? json : Json();
    std::size_t counted = mine ? 7 : 0;
    broadcast_value(ranks, number, 2), broadcast_value(ranks, word, 2),
        broadcast_value(ranks, words, 2), broadcast_value(ranks, rows, 2);
    broadcast_value(ranks, row, 2);
    broadcast_value(
        ranks, [&](auto& archive) { archive.count("counted", counted); }, 2);
    CHECK(number == 0.1);
    CHECK(word == "two");
    CHECK(words == std::vector<std::string>{"two", "two"});
    REQUIRE(rows.size() == 3);
    CHECK(rows[0].empty());
    CHECK((rows[1][0] == 1 && std::isnan(rows[1][1])));
    CHECK(std::signbit(rows[2][0]));
    CHECK(row == json);
    CHECK(row.items().begin().key() == "z");
    CHECK(counted == 7);
  });
}

TEST_CASE("deal_out: its owner does a task, all settle it, in their order") {
  for (const std::size_t size : {1U, 2U, 3U})
    for (const std::size_t threads : {1U, 2U})
      ThreadRanks::run(size, [&](const ThreadRanks& ranks) {
        std::vector<std::size_t> squares(11), order;
        const bool all = deal_out(
            // A rank's own number of threads does not count, but that of rank 0.
            ranks, threads + ranks.rank(), squares.size(),
            [&](std::size_t n) {
              CHECK(owner_of(ranks, n) == ranks.rank());
              squares[n] = n * n;
            },
            [&](std::size_t n, std::size_t owner) {
              broadcast_value(ranks, squares[n], owner);
              order.push_back(n);
            });
        CHECK(all);
        REQUIRE(order.size() == squares.size());
        for (std::size_t n = 0; n < squares.size(); ++n) {
          CHECK(squares[n] == n * n);
          if (size > 1) CHECK(order[n] == n);
        }
      });
}

TEST_CASE("deal_out: one rank is told to stop, and all do; what was finished is settled") {
  ThreadRanks::run(3, [&](const ThreadRanks& ranks) {
    std::vector<std::size_t> order;
    const bool all = deal_out(
        ranks, 1, 11,
        [](std::size_t n) {
          if (n == 4) throw Interrupted("told");
        },
        [&](std::size_t n, std::size_t) { order.push_back(n); });
    CHECK(!all);
    CHECK(order == std::vector<std::size_t>{0, 1, 2, 3, 5});
  });
}
