// SPDX-License-Identifier: BSD-3-Clause
#include "dan/core/parallel.hpp"

#include <doctest/doctest.h>

#include <atomic>
#include <cstddef>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

using dan::Threads;

static_assert(dan::Team<Threads>);

TEST_CASE("parallel: every task runs once, for any number of threads, round after round") {
  for (const std::size_t threads : {1U, 2U, 3U, 8U}) {
    Threads workers(threads);
    CHECK(workers.threads() == threads);
    std::vector<int> runs(100, 0);
    for (std::size_t round = 0; round < 300; ++round)
      workers.for_each(round % 101, [&](std::size_t i) { ++runs[i]; });
    bool right = true;
    for (std::size_t i = 0; i < 100; ++i) {
      int expected = 0;
      for (std::size_t round = 0; round < 300; ++round) expected += i < round % 101 ? 1 : 0;
      right = right && runs[i] == expected;
    }
    CHECK(right);
  }
}

TEST_CASE("parallel: what one round writes, the next one reads on any thread") {
  Threads workers(4);
  std::vector<double> a(64, 1), b(64, 0);
  for (int round = 0; round < 200; ++round) {
    workers.for_each(64, [&](std::size_t i) { b[i] = 0.5 * (a[i] + a[(i + 1) % 64]); });
    workers.for_each(64, [&](std::size_t i) { a[(i + 1) % 64] = b[i]; });
  }
  for (const double x : a) CHECK(x == 1);
}

TEST_CASE("parallel: zero means the hardware, and one thread is the caller") {
  CHECK(Threads().threads() >= 1);
  Threads alone(1);
  bool here = true;
  const auto caller = std::this_thread::get_id();
  alone.for_each(10, [&](std::size_t) { here = here && std::this_thread::get_id() == caller; });
  CHECK(here);
  alone.for_each(0, [&](std::size_t) { here = false; });
  CHECK(here);
}

TEST_CASE("parallel: the exception of the lowest index arrives after all tasks are done") {
  for (const std::size_t threads : {1U, 2U, 5U}) {
    Threads workers(threads);
    for (int round = 0; round < 50; ++round) {
      std::atomic<int> ran{0};
      std::string message;
      try {
        workers.for_each(40, [&](std::size_t i) {
          ++ran;
          if (i % 10 == 7) throw std::runtime_error("task " + std::to_string(i));
        });
      } catch (const std::runtime_error& e) {
        message = e.what();
      }
      CHECK(message == "task 7");
      CHECK(ran == 40);
    }
    int after = 0;
    workers.for_each(1, [&](std::size_t) { ++after; });
    CHECK(after == 1);
  }
}

TEST_CASE("parallel: a team can be ended at once, and teams can work side by side") {
  for (int i = 0; i < 20; ++i) Threads idle(4);
  std::atomic<int> count{0};
  Threads outer(2);
  outer.for_each(4, [&](std::size_t) {
    Threads inner(2);
    inner.for_each(10, [&](std::size_t) { ++count; });
  });
  CHECK(count == 40);
}
