// SPDX-License-Identifier: BSD-3-Clause
#include "dan/analysis/ensrf.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <span>
#include <tuple>
#include <vector>

#include "dan/analysis/etkf.hpp"
#include "dan/experiment/twin.hpp"
#include "dan/geometry/ring.hpp"
#include "support/ensemble.hpp"

using namespace dan;

static_assert(Analysis<Ensrf<test::Sakov, 20>>);
static_assert(Analysis<Ensrf<test::Sakov, 20, 32, float>>);

namespace {
constexpr std::size_t width = simd_width<double>;

/// Lane `lane` of both ensembles has the same mean and covariance.
template <std::size_t Size, std::size_t Members, class Serial, class At>
void check_moments(const Serial& serial, std::size_t lane, const At& at, double tolerance) {
  std::array<std::array<double, Members>, Size> a, b;
  for (std::size_t i = 0; i < Size; ++i) {
    double mean_a = 0, mean_b = 0;
    for (std::size_t m = 0; m < Members; ++m) {
      a[i][m] = static_cast<double>(serial.at(m * Size + i, lane)), b[i][m] = at(i, m);
      mean_a += a[i][m] / Members, mean_b += b[i][m] / Members;
    }
    CHECK(std::abs(mean_a - mean_b) < tolerance);
    for (std::size_t m = 0; m < Members; ++m) a[i][m] -= mean_a, b[i][m] -= mean_b;
  }
  std::size_t wrong = 0;  // counts NaN as well
  for (std::size_t i = 0; i < Size; ++i)
    for (std::size_t k = 0; k < Size; ++k) {
      double difference = 0;
      for (std::size_t m = 0; m < Members; ++m) difference += a[i][m] * a[k][m] - b[i][m] * b[k][m];
      wrong += !(std::abs(difference) < tolerance * Members);
    }
  CHECK(wrong == 0);
}
}  // namespace

TEST_CASE("ensrf: the first cycle has the mean and covariance of DAPPER's ETKF") {
  const auto folder = test::reference("dapper_l96_n20");
  if (!folder) return;
  const auto start = load_npy<2>(*folder / "E0.npy");
  const auto observations = load_npy<2>(*folder / "observations.npy");
  const auto expected = load_npy<3>(*folder / "analysis_etkf_infl1.04.npy");
  const auto check = [&]<class Filter>(const Filter& filter, double tolerance) {
    constexpr std::size_t last = Filter::runs - 1;
    auto carried = filter.start({}, 1, {});
    typename Filter::Observed observed;
    observed.precision.fill(1);
    for (std::size_t i = 0; i < 40; ++i) {
      for (std::size_t m = 0; m < 20; ++m)
        carried.ensemble.at(m * 40 + i, last) = static_cast<typename Filter::Real>(start(i, m));
      observed.values.at(i, last) = static_cast<typename Filter::Real>(observations(0, i));
    }
    carried.ensemble.repeat_last_lane(), observed.values.repeat_last_lane();
    filter.forecast(carried);
    filter.analyse(carried, observed, {});
    check_moments<40, 20>(
        carried.ensemble, last, [&](std::size_t i, std::size_t m) { return expected(0, i, m); },
        tolerance);
  };
  const test::Sakov problem;
  check(Ensrf<test::Sakov, 20>(problem, {.inflation = 1.04}), 1e-12);
  check(Ensrf<test::Sakov, 20, 1>(problem, {.inflation = 1.04}), 1e-12);
  // 40 updates of numbers of size 10, each with a relative rounding error of 1e-7.
  check(Ensrf<test::Sakov, 20, simd_width<float>, float>(problem, {.inflation = 1.04}), 1e-4);
}

TEST_CASE("ensrf: as the ETKF where each run has silent slots of its own") {
  using Serial = Ensrf<test::Silent, 5>;
  const Serial serial(test::Silent{});
  const Etkf<test::Silent, 5> transform(test::Silent{});
  auto carried = serial.start({}, 1.5, {.seed = 3});
  const auto before = carried.ensemble;
  typename Serial::Observed observed;
  fill_normal<double>({.seed = 4}, observed.values.numbers());
  for (std::size_t j = 0; j < 8; ++j)
    for (std::size_t l = 0; l < width; ++l)
      observed.precision.at(j, l) = (j + l) % 3 == 0 ? 0 : 1.0 + static_cast<double>(j);
  serial.analyse(carried, observed, {});
  for (std::size_t l = 0; l < width; ++l) {
    auto other = transform.start({}, 1, {});
    typename Etkf<test::Silent, 5>::Observed one;
    for (std::size_t i = 0; i < 8; ++i) {
      for (std::size_t m = 0; m < 5; ++m) other.ensemble.at(i, m) = before.at(m * 8 + i, l);
      one.values[i] = observed.values.at(i, l), one.precision[i] = observed.precision.at(i, l);
    }
    other.ensemble.repeat_last_lane();
    transform.analyse(other, one, {});
    check_moments<8, 5>(
        carried.ensemble, l, [&](std::size_t i, std::size_t m) { return other.ensemble.at(i, m); },
        1e-12);
  }
}

TEST_CASE("ensrf: a run does not depend on the runs beside it; spread and estimate of a lane") {
  const test::Sakov problem;
  const auto scores = [&](const auto& filter) {
    return run_twin(problem, filter,
                    {.runs = width, .cycles = 30, .burn_in = 5, .threads = 1, .progress = false});
  };
  for (const bool rotation : {false, true}) {
    const EnsrfConfig config{.inflation = 1.02, .rotation = rotation};
    const auto wide = scores(Ensrf<test::Sakov, 32>(problem, config));
    const auto single = scores(Ensrf<test::Sakov, 32, 1>(problem, config));
    // One lane rounds otherwise than a register; 30 cycles let that grow by a factor of ten or so.
    CHECK(wide.analysis_rmse == doctest::Approx(single.analysis_rmse).epsilon(1e-9));
  }
  // Members of a start with deviation 2: their spread is 2 up to the sampling error of 19 · 40
  // squares, 2 · √(1/(2 · 760)) = 0.05; four of it.
  using Filter = Ensrf<test::Sakov, 20>;
  const Filter filter(problem);
  typename Filter::FirstGuessBatch guess;
  fill_normal<double>({.seed = 9}, guess.numbers());
  const auto carried = filter.start(guess, 2, {.seed = 1});
  std::array<double, width> spread{};
  filter.spread(carried, spread);
  for (const double s : spread) CHECK(std::abs(s - 2) < 0.2);
  typename Filter::Estimate estimate;
  filter.estimate(carried, estimate);
  double square = 0;  // of the mean's error, 2²/20 on average, relative deviation √(2/(40 · width))
  for (std::size_t i = 0; i < 40; ++i)
    for (std::size_t l = 0; l < width; ++l)
      square += std::pow(estimate.at(i, l) - guess.at(i, l), 2) / (40.0 * width);
  CHECK(std::abs(square / 0.2 - 1) < 4 * std::sqrt(2 / (40.0 * width)));
}

TEST_CASE("ensrf: a rotation keeps mean and covariance, and differs from run to run") {
  constexpr std::size_t members = 8, runs = 3;  // beside padding lanes
  using Filter = Ensrf<test::Sakov, members, runs>;
  const test::Sakov problem;
  const Filter plain(problem), rotated(problem, {.rotation = true});
  const Filter::FirstGuessBatch guess;
  Filter::Observed observed;
  observed.precision.fill(1);
  auto a = plain.start(guess, 1, {.seed = 5});
  for (std::size_t l = 1; l < a.ensemble.padded; ++l)  // the same ensemble in every lane
    for (std::size_t n = 0; n < members * 40; ++n) a.ensemble.at(n, l) = a.ensemble.at(n, 0);
  auto b = a, c = a;
  plain.analyse(a, observed, {.seed = 6});
  rotated.analyse(b, observed, {.seed = 6, .cycle = 1});
  rotated.analyse(c, observed, {.seed = 6, .cycle = 2});
  const auto distance = [](const auto& x, std::size_t l, const auto& y, std::size_t k) {
    double square = 0;
    for (std::size_t n = 0; n < members * 40; ++n)
      square += std::pow(x.ensemble.at(n, l) - y.ensemble.at(n, k), 2);
    return std::sqrt(square / (members * 40));
  };
  constexpr std::size_t window = 5;
  std::vector<Filter::T, AlignedAllocator<Filter::T>> p(40 * window), q = p;
  plain.covariances<Ring<40>, window>(a, p.data());
  rotated.covariances<Ring<40>, window>(b, q.data());
  double error = 0;
  for (std::size_t l = 0; l < runs; ++l) {
    check_moments<40, members>(
        b.ensemble, l, [&](std::size_t i, std::size_t m) { return a.ensemble.at(m * 40 + i, l); },
        1e-13);
    for (std::size_t n = 0; n < p.size(); ++n)
      error = std::max(error, std::abs(lane_of(p[n], l) - lane_of(q[n], l)));
  }
  CHECK(error < 1e-13);
  // One sign changes a member by 0.3 RMS or so. One in 2⁷ rotations is none, and any two agree as
  // rarely; these do not.
  CHECK(distance(a, 0, b, 0) > 0.1);
  CHECK(distance(b, 0, c, 0) > 0.1);
  CHECK(distance(b, 0, b, 1) > 0.1);
  CHECK(distance(b, 0, b, 2) > 0.1);
  CHECK(distance(b, 2, b, b.ensemble.padded - 1) == 0);  // padding repeats the last run

  const Ensrf<test::Sakov, members, runs, float> single(problem, {.rotation = true});
  auto d = single.start({}, 1, {});
  typename decltype(single)::Observed observations;
  convert_precision(observed.values, observations.values);
  convert_precision(observed.precision, observations.precision);
  auto e = plain.start(guess, 1, {.seed = 5});
  plain.analyse(e, observed, {});
  convert_precision(plain.start(guess, 1, {.seed = 5}).ensemble, d.ensemble);
  single.analyse(d, observations, {.seed = 6});
  check_moments<40, members>(
      d.ensemble, 1, [&](std::size_t i, std::size_t m) { return e.ensemble.at(m * 40 + i, 1); },
      1e-5);
}

TEST_CASE("ensrf: a run that diverges stays in its lane; bad input is an error") {
  using Filter = Ensrf<test::Half, 5>;
  const Filter filter(test::Half{});
  test::check_observations(filter, "Ensrf::analyse");
  CHECK_THROWS_WITH_AS(Filter({}, {.inflation = 0}),
                       doctest::Contains("Ensrf: inflation is 0, expected"), ConfigError);
  CHECK_THROWS_WITH_AS(Filter({}, {.rotation = true}),
                       doctest::Contains("Ensrf: rotation with 5 members, expected a power of"),
                       ConfigError);
  CHECK_THROWS_WITH_AS(std::ignore = filter.start({}, 0, {}),
                       doctest::Contains("Ensrf::start: deviation is 0, expected"), ConfigError);
  auto good = filter.start({}, 1, {.seed = 2}), bad = filter.start({}, 1, {.seed = 2});
  bad.ensemble.at(7, 0) = std::nan("");
  typename Filter::Observed observed;
  observed.precision.fill(1);
  filter.analyse(good, observed, {}), filter.analyse(bad, observed, {});
  typename Filter::Estimate a, b;
  filter.estimate(good, a), filter.estimate(bad, b);
  for (std::size_t i = 0; i < 8; ++i)
    for (std::size_t l = 1; l < width; ++l) CHECK(a.at(i, l) == b.at(i, l));
}

TEST_CASE("ensrf: the covariances are those of the analysis' ensemble") {
  using Filter = Ensrf<test::Sakov, 6, width>;
  const test::Sakov problem;
  const Filter filter(problem);  // without inflation
  Filter::FirstGuessBatch guess;
  Filter::Observed observed;
  observed.precision.fill(1);
  fill_normal<double>({1, Purpose::user}, guess.numbers());
  fill_normal<double>({2, Purpose::user}, observed.values.numbers());
  auto carried = filter.start(guess, 1, {3, Purpose::user});
  filter.analyse(carried, observed, {});
  constexpr std::size_t window = 5;
  std::vector<Filter::T, AlignedAllocator<Filter::T>> covariances(40 * window);
  filter.covariances<Ring<40>, window>(carried, covariances.data());
  for (std::size_t lane = 0; lane < width; ++lane) {
    const auto at = [&](std::size_t m, std::size_t i) {
      return carried.ensemble.at(m * 40 + i, lane);
    };
    std::array<double, 40> mean{};
    for (std::size_t m = 0; m < 6; ++m)
      for (std::size_t i = 0; i < 40; ++i) mean[i] += at(m, i) / 6;
    double error = 0;
    for (std::size_t i = 0; i < 40; ++i)
      for (std::size_t j = 0; j < window; ++j) {
        const std::size_t k = (i + j + 40 - window / 2) % 40;
        double expected = 0;
        for (std::size_t m = 0; m < 6; ++m)
          expected += (at(m, i) - mean[i]) * (at(m, k) - mean[k]) / 5;
        error = std::max(error, std::abs(lane_of(covariances[i * window + j], lane) - expected));
      }
    CHECK(error < 1e-13);
  }
}
