// SPDX-License-Identifier: BSD-3-Clause
#include "dan/analysis/localisation.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>

#include "dan/observe/random.hpp"
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
      sum += gaspari_cohn(RingDistance<40>{}(0, static_cast<std::size_t>(i)), 7.28) *
             std::cos(2 * 3.14159265358979 * wave * i / 40);
    CHECK(sum >= -1e-12);
  }
}

TEST_CASE("localisation: distances on a ring") {
  const RingDistance<7> even_and_odd;
  CHECK(even_and_odd(2, 2) == 0);
  CHECK(even_and_odd(0, 6) == 1);
  CHECK(even_and_odd(6, 0) == 1);
  CHECK(even_and_odd(1, 5) == 3);
  CHECK(RingDistance<8>{}(0, 4) == 4);
}

namespace mine {
struct Network : ObserveAll<6> {};
std::size_t slot_element(const Network&, std::size_t slot) { return 5 - slot; }
}  // namespace mine

TEST_CASE("localisation: where a slot is") {
  const std::array<std::size_t, 2> elements{4, 1};
  CHECK(slot_element(ObserveAll<5>{}, 3) == 3);
  CHECK(slot_element(ObserveRandom<5>{}, 3) == 3);
  CHECK(slot_element(ObserveSubset<5, 2>(elements), 0) == 4);
  CHECK(slot_element(Nonlinear<ObserveSubset<5, 2>, Square>{ObserveSubset<5, 2>(elements)}, 1) ==
        1);
  CHECK(slot_element(Nonlinear<mine::Network, Square>{}, 1) == 4);
  static_assert(LocatedOperator<ObserveRandom<5>>);
  static_assert(LocatedOperator<mine::Network>);
  static_assert(!LocatedOperator<Whitened<ObserveAll<5>>>);
  static_assert(!LocatedOperator<Nonlinear<Whitened<ObserveAll<5>>, Square>>);
}

TEST_CASE("localisation: batches and their observations") {
  const ObserveSubset<10, 3, 2> network(std::array<std::size_t, 3>{0, 7, 19});  // points 0, 3, 9
  const auto domains = local_domains(network, RingDistance<10>{}, 0.7, 4);      // reach 2.548
  REQUIRE(domains.size() == 3);
  CHECK(domains[0].first == 0);
  CHECK(domains[1].first == 4);
  CHECK(domains[2].first == 8);
  CHECK(domains[2].last == 10);
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

TEST_CASE("localisation: another geometry is another callable") {
  const auto on_a_line = [](std::size_t p, std::size_t q) {
    return std::abs(static_cast<double>(p) - static_cast<double>(q));
  };
  const auto line = local_domains(ObserveAll<20>{}, on_a_line, 1);
  const auto ring = local_domains(ObserveAll<20>{}, RingDistance<20>{}, 1);
  CHECK(line[0].observations.size() == 4);
  CHECK(ring[0].observations.size() == 7);
  CHECK(line[10].observations.size() == 7);
}

TEST_CASE("localisation: bad input") {
  const auto domains = [](double radius, std::size_t batch) {
    return local_domains(ObserveAll<5>{}, RingDistance<5>{}, radius, batch);
  };
  CHECK_THROWS_WITH_AS(domains(0, 1), doctest::Contains("radius is 0, expected"), ConfigError);
  CHECK_THROWS_AS(domains(-1, 1), ConfigError);
  CHECK_THROWS_AS(domains(std::nan(""), 1), ConfigError);
  CHECK_THROWS_AS(domains(INFINITY, 1), ConfigError);
  CHECK_THROWS_WITH_AS(domains(1, 0), doctest::Contains("batch is 0"), ConfigError);
}
