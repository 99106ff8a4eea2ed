// SPDX-License-Identifier: BSD-3-Clause
#include "dan/analysis/localisation.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <string>
#include <vector>

#include "dan/core/notice.hpp"
#include "dan/geometry/ring.hpp"
#include "dan/observe/nonlinear.hpp"
#include "dan/observe/random.hpp"
#include "dan/observe/subset.hpp"
#include "dan/observe/whitened.hpp"

using namespace dan;

TEST_CASE("localisation: the Gaspari-Cohn taper") {
  CHECK(gaspari_cohn(0, 3) == 1);
  CHECK(gaspari_cohn(6, 3) == 0);
  CHECK(gaspari_cohn(100, 3) == 0);
  CHECK(std::abs(gaspari_cohn(3, 3) - 5.0 / 24) <= 1e-14);
  CHECK(std::abs(gaspari_cohn(1.5, 3) - 0.6848958333333333) <= 1e-14);  // 263 / 384
  CHECK(std::abs(gaspari_cohn(4.5, 3) - 0.0164930555555556) <= 1e-14);  // 19 / 1152
  CHECK(std::abs(gaspari_cohn(2, 2 * 1.82) - std::exp(-0.5)) <= 0.06);
  CHECK(gaspari_cohn(-1, 3) == gaspari_cohn(1, 3));
  CHECK(std::abs(gaspari_cohn(3 * (1 + 1e-9), 3) - gaspari_cohn(3 * (1 - 1e-9), 3)) <= 1e-8);
  for (int k = 0; k < 100; ++k) CHECK(gaspari_cohn(0.02 * (k + 1), 1) <= gaspari_cohn(0.02 * k, 1));
  // The correlation matrix of a ring is positive semidefinite: its Fourier coefficients are.
  for (int wave = 0; wave <= 20; ++wave) {
    double sum = 0;
    for (int i = 0; i < 40; ++i)
      sum += gaspari_cohn(Ring<40>::distance(0, {static_cast<double>(i)}), 7.28) *
             std::cos(2 * 3.14159265358979 * wave * i / 40);
    CHECK(sum >= -1e-12);
  }
}

TEST_CASE("localisation: one radius means the same for every taper") {
  for (const Taper taper : {tapers::gaspari_cohn, tapers::gaussian, tapers::exponential}) {
    CHECK(taper(0, 4) == 1);
    CHECK(std::abs(taper(4, 4) - std::exp(-0.5)) <= 0.03);
    CHECK(taper(-3, 4) == taper(3, 4));
    CHECK(taper(3.63 * 4, 4) > 0);
    CHECK(taper(3.65 * 4, 4) == 0);
    CHECK(std::abs(taper(6, 3) - taper(8, 4)) <= 1e-15);
  }
  CHECK(tapers::gaspari_cohn(5, 4) == gaspari_cohn(5, 1.82 * 4));
  CHECK(std::abs(tapers::gaussian(2, 1) - 0.1353352832366127) <= 1e-15);
  CHECK(std::abs(tapers::exponential(2, 1) - 0.36787944117144233) <= 1e-15);
  CHECK(tapers::boxcar(4, 4) == 1);
  CHECK(tapers::boxcar(-4, 4) == 1);
  CHECK(tapers::boxcar(4.001, 4) == 0);
  // A taper of one's own; what it gives beyond its tail is left out.
  const Localisation mine{.radius = 2, .taper = [](double d, double r) { return 1 - d / (4 * r); }};
  CHECK(mine.weight(2) == 0.75);
  CHECK(mine.weight(7.9) == 1 - 7.9 / 8);
  CHECK(mine.weight(7.999) == 0);
  CHECK(mine.weight(100) == 0);
  const auto domains =
      local_domains<Ring<20>>(ObserveAll<20>{}, {.radius = 3, .taper = tapers::boxcar});
  CHECK(domains[5].observations.size() == 7);
  CHECK(Localisation{}.global());
  CHECK_FALSE(mine.global());
}

TEST_CASE("localisation: distances on a ring") {
  CHECK(Ring<7>::distance(2, {2}) == 0);
  CHECK(Ring<7>::distance(0, {6}) == 1);
  CHECK(Ring<7>::distance(6, {0}) == 1);
  CHECK(Ring<7>::distance(1, {5}) == 3);
  CHECK(Ring<7>::distance(6, {0.25}) == 1.25);
  CHECK(Ring<8>::distance(0, {4}) == 4);
}

namespace mine {
struct Network : ObserveAll<6> {
  [[nodiscard]] std::size_t element(std::size_t slot) const { return 5 - slot; }
};
struct Between : ObserveAll<6> {
  [[nodiscard]] Place<1> place(std::size_t slot) const {
    return {{static_cast<double>(slot) + 0.5}, 0};
  }
};
/// Points on a line.
struct Line {
  static constexpr std::size_t points = 20, dimensions = 1;
  static std::array<double, 1> position(std::size_t p) { return {static_cast<double>(p)}; }
  static double distance(std::size_t p, const std::array<double, 1>& position) {
    return std::abs(static_cast<double>(p) - position[0]);
  }
};
/// The same, which knows better which points belong together.
struct Pairs : Line {
  static std::vector<std::vector<std::size_t>> batches(std::size_t) { return {{0, 10}, {5}}; }
};
}  // namespace mine

TEST_CASE("localisation: where a slot is") {
  const std::array<std::size_t, 2> elements{4, 1};
  CHECK(ObserveAll<5>{}.element(3) == 3);
  CHECK(ObserveRandom<5>{}.element(3) == 3);
  CHECK(ObserveSubset<5, 2>(elements).element(0) == 4);
  CHECK(Nonlinear<ObserveSubset<5, 2>, Square>{ObserveSubset<5, 2>(elements)}.element(1) == 1);
  CHECK(Nonlinear<mine::Network, Square>{}.element(1) == 4);
  const auto place = place_of<Ring<5>>(ObserveSubset<5, 3, 2>({9, 0, 4}), 0);
  CHECK(place.position[0] == 4);
  CHECK(place.channel == 1);
  CHECK(place_of<Ring<6>>(mine::Between{}, 3).position[0] == 3.5);  // before its element
  CHECK(place_of<Ring<6>>(Nonlinear<mine::Between, Square>{}, 3).position[0] == 3.5);
  static_assert(LocatedOperator<ObserveRandom<5>>);
  static_assert(LocatedOperator<mine::Network>);
  static_assert(LocatedOperator<mine::Between>);
  static_assert(!LocatedOperator<Whitened<ObserveAll<5>>>);
  static_assert(!LocatedOperator<Nonlinear<Whitened<ObserveAll<5>>, Square>>);
}

TEST_CASE("localisation: a place outside of the domain is refused") {
  using Outside = Located<ObserveSubset<40, 1>, 1>;
  for (const double place : {-1.0, 40.0, 100.0}) {
    const Outside operation{ObserveSubset<40, 1>({3}), {{{{place}}}}};
    CHECK_THROWS_WITH_AS((void)local_domains<Ring<40>>(operation, {.radius = 5}),
                         doctest::Contains("place_of: place(0) of the operator is outside: Ring::"),
                         ConfigError);
  }
}

TEST_CASE("localisation: batches and their observations") {
  const ObserveSubset<10, 3, 2> operation(std::array<std::size_t, 3>{0, 7, 19});  // points 0, 3, 9
  const auto domains = local_domains<Ring<10>>(operation, {.radius = 0.7}, 4);    // reach 2.548
  REQUIRE(domains.size() == 3);
  CHECK(domains[0].points == std::vector<std::size_t>{0, 1, 2, 3});
  CHECK(domains[1].points == std::vector<std::size_t>{4, 5, 6, 7});
  CHECK(domains[2].points == std::vector<std::size_t>{8, 9});
  // Mean distances of points 0..3: 1.5 to point 0, 1.5 to 3, 2.5 to 9 (below the cut).
  REQUIRE(domains[0].observations.size() == 2);
  CHECK(domains[0].observations[0].slot == 0);
  CHECK(domains[0].observations[1].slot == 1);
  CHECK(domains[0].observations[1].taper == gaspari_cohn(1.5, 1.82 * 0.7));
  // Of points 4..7: 3.5 to 0, 2.5 to 3, 3.5 to 9.
  CHECK(domains[1].observations.empty());
  // Of points 8, 9: 1.5 to 0, 4.5 to 3, 0.5 to 9.
  REQUIRE(domains[2].observations.size() == 2);
  CHECK(domains[2].observations[1].slot == 2);
  CHECK(domains[2].observations[1].taper == gaspari_cohn(0.5, 1.82 * 0.7));
}

TEST_CASE("localisation: another geometry, also one that makes the batches") {
  const auto line = local_domains<mine::Line>(ObserveAll<20>{}, {.radius = 1});
  const auto ring = local_domains<Ring<20>>(ObserveAll<20>{}, {.radius = 1});
  CHECK(line[0].observations.size() == 4);
  CHECK(ring[0].observations.size() == 7);
  CHECK(line[10].observations.size() == 7);
  const auto pairs = local_domains<mine::Pairs>(ObserveAll<20>{}, {.radius = 4}, 2);
  REQUIRE(pairs.size() == 2);
  CHECK(pairs[0].points == std::vector<std::size_t>{0, 10});
  CHECK(pairs[0].observations[3].taper == gaspari_cohn(5, 1.82 * 4));
}

TEST_CASE("localisation: bad input") {
  const auto domains = [](double radius, std::size_t batch) {
    return local_domains<Ring<5>>(ObserveAll<5>{}, {.radius = radius}, batch);
  };
  CHECK_THROWS_WITH_AS(domains(0, 1), doctest::Contains("radius is 0, expected"), ConfigError);
  CHECK_THROWS_AS(domains(-1, 1), ConfigError);
  CHECK_THROWS_AS(domains(std::nan(""), 1), ConfigError);
  CHECK_THROWS_AS(domains(INFINITY, 1), ConfigError);
  const auto tapered = [](Taper taper) {
    return local_domains<Ring<5>>(ObserveAll<5>{}, {.radius = 1, .taper = taper});
  };
  CHECK_THROWS_WITH_AS(tapered(nullptr), doctest::Contains("local_domains: there is no taper"),
                       ConfigError);
  CHECK_THROWS_WITH_AS(tapered([](double, double) { return 2.0; }),
                       doctest::Contains("the taper is 2 at the distance 0, expected 1"),
                       ConfigError);
  CHECK_THROWS_WITH_AS(tapered([](double d, double) { return d > 1 ? std::nan("") : 1; }),
                       doctest::Contains("the taper is nan at the distance 2"), ConfigError);
  CHECK_THROWS_WITH_AS(domains(1, 0), doctest::Contains("batch is 0"), ConfigError);
}

TEST_CASE("localisation: batches too wide to use their own points' observations are told of") {
  std::vector<std::string> said;
  const auto before = set_notice_handler([&](const std::string& what) { said.push_back(what); });
  (void)local_domains<Ring<40>>(ObserveAll<40>{}, {.radius = 2}, 8);
  CHECK(said.empty());
  (void)local_domains<Ring<40>>(ObserveAll<40>{}, {.radius = 2}, 20);
  set_notice_handler(before);
  REQUIRE(said.size() == 1);
  CHECK(said[0].starts_with("local_domains: batches of 20 points are too wide for a radius of 2"));
}
