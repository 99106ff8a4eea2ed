// SPDX-License-Identifier: BSD-3-Clause
#include "dan/app/observation_checks.hpp"

#include <doctest/doctest.h>

#include <array>
#include <cmath>
#include <cstddef>
#include <string>
#include <vector>

#include "dan/core/notice.hpp"
#include "dan/observe/table.hpp"

using namespace dan;

TEST_CASE("observation checks: a small channel is looked at beside a large one") {
  // Channel 0 is 280 ± 10 with errors of 1, channel 1 1e-3 ± 2e-4 with errors of 1e-5; innovations
  // are as large as errors.
  const auto said_of = [](double deviation) {
    app::detail::InnovationCheck check;
    for (std::size_t k = 0; k < 80; ++k) {
      const double wave = std::sin(static_cast<double>(k)), sign = k % 2 == 0 ? 1 : -1;
      const std::vector<ObservationRow<1, 2>> seen{
          {.place = {{0.0}, 0}, .value = 280 + 10 * wave, .deviation = 1},
          {.place = {{1.0}, 0}, .value = 280 - 10 * wave, .deviation = 1},
          {.place = {{0.0}, 1}, .value = 1e-3 + 2e-4 * wave, .deviation = deviation},
          {.place = {{1.0}, 1}, .value = 1e-3 - 2e-4 * wave, .deviation = deviation}};
      const std::array<double, 4> predicted{seen[0].value + sign, seen[1].value - sign,
                                            seen[2].value + 1e-5 * sign,
                                            seen[3].value - 1e-5 * sign};
      (void)check.add(k + 1, seen, predicted);
    }
    std::vector<std::string> said;
    const auto before = set_notice_handler([&](const std::string& what) { said.push_back(what); });
    check.notice_of("file");
    set_notice_handler(before);
    return said;
  };
  CHECK(said_of(1e-5).empty());
  const auto said = said_of(1e-9);
  REQUIRE(said.size() == 2);
  CHECK(said[0].starts_with("file: in cycle 11 an innovation is more than 20 deviations"));
  CHECK(said[1].starts_with("file: channel 1: the innovations, 1e-05"));
}
