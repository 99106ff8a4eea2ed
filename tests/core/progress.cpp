// SPDX-License-Identifier: BSD-3-Clause
#include "dan/core/progress.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <string>
#include <thread>
#include <vector>

using dan::Progress;
using Clock = std::chrono::steady_clock;

namespace {
/// What was written to a temporary file.
std::string content(std::FILE* file) {
  std::string out;
  std::rewind(file);
  for (int c; (c = std::fgetc(file)) != EOF;) out += static_cast<char>(c);
  std::fclose(file);
  return out;
}
}  // namespace

TEST_CASE("progress: short work stays silent") {
  std::FILE* file = std::tmpfile();
  REQUIRE(file != nullptr);
  const auto begin = Clock::now();
  {
    Progress progress("short", 10, true, file);
    for (int i = 0; i < 10; ++i) progress.advance(1, "note");
    progress.finish();
    progress.finish();
    progress.advance();
  }
  const bool in_time = Clock::now() - begin < std::chrono::seconds(2);
  const std::string lines = content(file);
  if (in_time) CHECK(lines == "");  // a loaded machine may have taken longer
}

TEST_CASE("progress: long work gives plain lines where there is no terminal") {
  std::FILE* file = std::tmpfile();
  std::FILE* unused = std::tmpfile();
  REQUIRE(file != nullptr);
  REQUIRE(unused != nullptr);
  const auto begin = Clock::now();
  {
    Progress progress("train", 410, true, file, 10), silent("silent", 410, false, unused);
    std::this_thread::sleep_for(std::chrono::milliseconds(2050));
    {
      std::vector<std::jthread> team;
      for (int t = 0; t < 4; ++t)
        team.emplace_back([&] {
          for (int i = 0; i < 50; ++i) progress.advance(), silent.advance();
        });
    }
    progress.advance(200, "loss 0.5");
  }
  const std::string lines = content(file);
  CHECK(content(unused) == "");
  CAPTURE(lines);
  CHECK(lines.find("train  10 %") == 0);
  CHECK(lines.find("train: 410 of 410 in ") != std::string::npos);  // 10 were done before
  CHECK(lines.find("/s, loss 0.5\n") != std::string::npos);
  CHECK(lines.find('\r') == std::string::npos);
  if (Clock::now() - begin > std::chrono::seconds(9)) return;  // a very loaded machine
  // One line for the first tenth, none for the others (they follow too fast), and the last one.
  CHECK(lines.find(" in 0:0") != std::string::npos);
  CHECK(std::ranges::count(lines, '\n') == 2);
}
