// SPDX-License-Identifier: BSD-3-Clause
#include "dan/analysis/denkf.hpp"

#include <doctest/doctest.h>

#include "support/ensemble.hpp"

using namespace dan;

static_assert(Analysis<Denkf<test::Sakov, 20>>);

TEST_CASE("denkf: six cycles agree with DAPPER") {
  const Denkf<test::Sakov, 20> filter({}, {.inflation = {.factor = 1.01}});
  test::check_against_dapper(filter, "analysis_denkf_infl1.01.npy", 1e-12);
}

TEST_CASE("denkf: silent slots change nothing; bad input is an error") {
  using Filter = Denkf<test::Half, 5>;
  test::check_silent_slots(Filter(test::Half{}), Denkf<test::Silent, 5>(test::Silent{}));
  test::check_divergence(Filter(test::Half{}), "Denkf::analyse");
  test::check_observations(Filter(test::Half{}), "Denkf::analyse");
  CHECK_THROWS_WITH_AS(Filter({}, {.inflation = {.factor = 0}}),
                       doctest::Contains("Denkf: inflation.factor is 0, expected"), ConfigError);
}
