// SPDX-License-Identifier: BSD-3-Clause
#include "dan/analysis/member_noise.hpp"

#include <doctest/doctest.h>

#include <array>
#include <cmath>
#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "dan/analysis/ekf.hpp"
#include "dan/analysis/enkf.hpp"
#include "dan/analysis/enkf_n.hpp"
#include "dan/analysis/enks.hpp"
#include "dan/analysis/ensrf.hpp"
#include "dan/analysis/etkf.hpp"
#include "dan/analysis/ienks.hpp"
#include "dan/analysis/letkf.hpp"
#include "dan/analysis/var3d.hpp"
#include "dan/core/linalg.hpp"
#include "dan/experiment/twin.hpp"
#include "dan/integrate/rk4.hpp"
#include "dan/models/lorenz96.hpp"
#include "dan/problem/climate.hpp"
#include "dan/problem/dense_model_noise.hpp"
#include "support/battery.hpp"
#include "support/linear.hpp"

using namespace dan;

namespace {
template <class Model, std::size_t Slots = Model::points>
using Noisy = Problem<Model, ObserveSubset<Model::points, Slots>, GaussianStart,
                      DenseModelNoise<Model::points * Model::channels>>;
using Linear = Noisy<test::Advection, 4>;

/// Four points with two channels of unlike units, that stay as they are.
struct Still {
  static constexpr std::size_t points = 4, channels = 2;
  template <class T>
  void step(const T* x, T* y) const {
    std::copy_n(x, 8, y);
  }
};
using Unlike = Problem<Still, ObserveAll<4, 2>, GaussianStart, DenseModelNoise<8>>;

/// A regular root of Q.
Matrix root_of_noise() {
  auto root = zero_tensor<double>(8, 8);
  for (std::size_t i = 0; i < 8; ++i) {
    root(i, i) = 0.5 + 0.1 * static_cast<double>(i);
    root(i, (i + 3) % 8) = 0.3;
  }
  return root;
}
Matrix noise_covariance() { return matrix_product(root_of_noise(), transpose_of(root_of_noise())); }

template <std::size_t Members>
using Ensemble8 = Batch<double, 8, 1, Members>;

/// Some ensemble of states of eight numbers.
template <class Ensemble>
Ensemble some_ensemble(std::uint64_t seed = 1) {
  Ensemble out;
  fill_normal<double>({.seed = seed}, out.numbers());
  for (std::size_t i = 0; i < 8; ++i)
    for (std::size_t m = 0; m < Ensemble::lanes; ++m)
      out.at(i, m) = 3 + out.at(i, m) * (1 + static_cast<double>(i)) / 4;
  out.repeat_last_lane();
  return out;
}

/// Anomalies, 8 × N.
template <class Ensemble>
Matrix anomalies(const Ensemble& ensemble) {
  auto x = zero_tensor<double>(8, Ensemble::lanes);
  for (std::size_t i = 0; i < 8; ++i) {
    double mean = 0;
    for (std::size_t m = 0; m < Ensemble::lanes; ++m) mean += ensemble.at(i, m) / Ensemble::lanes;
    for (std::size_t m = 0; m < Ensemble::lanes; ++m) x(i, m) = ensemble.at(i, m) - mean;
  }
  return x;
}
template <class Ensemble>
Matrix covariance(const Ensemble& ensemble) {
  const auto x = anomalies(ensemble);
  auto p = matrix_product(x, transpose_of(x));
  for (double& c : span_of(p)) c /= Ensemble::lanes - 1;
  return p;
}
template <class Ensemble>
std::array<double, 8> mean_of(const Ensemble& ensemble) {
  std::array<double, 8> mean{};
  for (std::size_t i = 0; i < 8; ++i)
    for (std::size_t m = 0; m < Ensemble::lanes; ++m)
      mean[i] += ensemble.at(i, m) / Ensemble::lanes;
  return mean;
}

/// Π onto the span of D⁻¹ X, back in the units: D Y Yᵀ D⁻¹, Y by Gram and Schmidt.
Matrix projection(const Matrix& x, const std::array<double, 8>& units) {
  const std::size_t members = x.shape()[1];
  std::vector<std::array<double, 8>> basis;
  for (std::size_t m = 0; m + 1 < members; ++m) {
    std::array<double, 8> y;
    for (std::size_t i = 0; i < 8; ++i) y[i] = x(i, m) / units[i];
    for (int twice = 0; twice < 2; ++twice)
      for (const auto& b : basis) {
        double along = 0;
        for (std::size_t i = 0; i < 8; ++i) along += b[i] * y[i];
        for (std::size_t i = 0; i < 8; ++i) y[i] -= along * b[i];
      }
    double square = 0;
    for (const double number : y) square += number * number;
    for (double& number : y) number /= std::sqrt(square);
    basis.push_back(y);
  }
  auto out = zero_tensor<double>(8, 8);
  for (const auto& b : basis)
    for (std::size_t i = 0; i < 8; ++i)
      for (std::size_t j = 0; j < 8; ++j) out(i, j) += units[i] * b[i] * b[j] / units[j];
  return out;
}

double largest_difference(const Matrix& a, const Matrix& b) {
  double most = 0;
  for (std::size_t n = 0; n < a.size(); ++n)
    most = std::max(most, std::abs(a.data()[n] - b.data()[n]));
  return most;
}
Matrix added(const Matrix& a, const Matrix& b, double factor = 1) {
  auto out = a;
  for (std::size_t n = 0; n < a.size(); ++n) out.data()[n] += factor * b.data()[n];
  return out;
}

/// With fewer members than numbers the square root gives P + Π Q Πᵀ, the mean stays.
template <class P>
void check_projected(const P& problem, const std::array<double, 8>& units, double tolerance) {
  using Ensemble = typename P::template States<double, 5>;
  auto ensemble = some_ensemble<Ensemble>();
  const auto before = covariance(ensemble);
  const auto mean = mean_of(ensemble);
  const auto pi = projection(anomalies(ensemble), units);
  add_noise_to_members(problem, NoiseForm::square_root, {}, ensemble);
  const auto expected =
      added(before, matrix_product(pi, matrix_product(noise_covariance(), transpose_of(pi))));
  CHECK(largest_difference(covariance(ensemble), expected) < tolerance);
  CHECK(largest_difference(before, expected) > 0.1);
  for (std::size_t i = 0; i < 8; ++i) CHECK(std::abs(mean_of(ensemble)[i] - mean[i]) < 1e-13);
}
}  // namespace

TEST_CASE("member noise: the square root adds the part of Q in the span, and all if it can") {
  const Linear problem{.model_noise = DenseModelNoise<8>(root_of_noise())};
  check_projected(problem, {1, 1, 1, 1, 1, 1, 1, 1}, 1e-12);
  const Unlike unlike{.norm = {{0.01, 5}}, .model_noise = DenseModelNoise<8>(root_of_noise())};
  check_projected(unlike, {0.01, 5, 0.01, 5, 0.01, 5, 0.01, 5}, 1e-9);
  for (const auto form : {NoiseForm::square_root, NoiseForm::completed}) {
    auto ensemble = some_ensemble<Ensemble8<12>>();
    const auto expected = added(covariance(ensemble), noise_covariance());
    add_noise_to_members(problem, form, {.seed = 2}, ensemble);
    CHECK(largest_difference(covariance(ensemble), expected) < 1e-10);
  }
  Ensemble8<5> same;  // spans nothing
  add_noise_to_members(problem, NoiseForm::square_root, {}, same);
  CHECK(largest_difference(covariance(same), zero_tensor<double>(8, 8)) == 0);
}

TEST_CASE("member noise: samples give P + Q in the mean, and complete the square root") {
  const Linear problem{.model_noise = DenseModelNoise<8>(root_of_noise())};
  constexpr std::size_t draws = 4000;
  const auto q = noise_covariance();
  const auto start = some_ensemble<Ensemble8<5>>();
  const auto p = covariance(start), pi = projection(anomalies(start), {1, 1, 1, 1, 1, 1, 1, 1});
  auto rest = zero_tensor<double>(8, 8);
  for (std::size_t i = 0; i < 8; ++i) rest(i, i) = 1;
  rest = added(rest, pi, -1);
  const auto projected = [&](const Matrix& by) {
    return matrix_product(by, matrix_product(q, transpose_of(by)));
  };
  const auto check = [&](NoiseForm form, const Matrix& expected) {
    auto found = zero_tensor<double>(8, 8);
    for (std::size_t n = 0; n < draws; ++n) {
      auto ensemble = start;
      add_noise_to_members(problem, form, {.run = 3, .cycle = n}, ensemble);
      found = added(found, covariance(ensemble), 1.0 / draws);
      for (std::size_t i = 0; i < 8 && n < 3; ++i)
        CHECK(std::abs(mean_of(ensemble)[i] - mean_of(start)[i]) < 1e-13);
    }
    for (std::size_t i = 0; i < 8; ++i)
      for (std::size_t j = 0; j < 8; ++j) {  // variance of a sample: (Q Q + 2 P Q + …) / (N − 1)
        const double band =
            5 * std::sqrt(2 * (p(i, i) + q(i, i)) * (p(j, j) + q(j, j)) / 4 / draws);
        CHECK(std::abs(found(i, j) - expected(i, j)) < band);
      }
    return found;
  };
  check(NoiseForm::sampled, added(p, q));
  check(NoiseForm::completed, added(added(p, projected(pi)), projected(rest)));
  auto one = start, two = start, other = start, few = start;
  add_noise_to_members(problem, NoiseForm::sampled, {.run = 3}, one);
  add_noise_to_members(problem, NoiseForm::sampled, {.run = 3}, two);
  add_noise_to_members(problem, NoiseForm::sampled, {.run = 4}, other);
  add_noise_to_members(problem, NoiseForm::ignored, {.run = 3}, few);
  CHECK(one.at(2, 1) == two.at(2, 1));
  CHECK(one.at(2, 1) != other.at(2, 1));
  CHECK(few.at(2, 1) == start.at(2, 1));
}

namespace {
/// Mean and covariance of a Kalman filter of the linear model with noise.
struct Kalman {
  Matrix x, p;

  void forecast() {
    const auto m = test::Advection::matrix();
    x = matrix_product(m, x);
    p = added(matrix_product(m, matrix_product(p, transpose_of(m))), noise_covariance());
  }
  void analyse(const Observations<double, 4>& observed) {
    for (std::size_t j = 0; j < 4; ++j) {  // one after the other: R is diagonal
      if (observed.precision[j] == 0) continue;
      const std::size_t at = 2 * j;
      const double variance = p(at, at) + 1 / observed.precision[j];
      const double departure = observed.values[j] - x(at, 0);
      const auto before = p;
      for (std::size_t i = 0; i < 8; ++i) {
        x(i, 0) += before(i, at) * departure / variance;
        for (std::size_t k = 0; k < 8; ++k) p(i, k) -= before(i, at) * before(at, k) / variance;
      }
    }
  }
};
}  // namespace

TEST_CASE("member noise: on a linear model EKF, ETKF and EnSRF are the Kalman filter with Q") {
  const Linear problem{.model_noise = DenseModelNoise<8>(root_of_noise())};
  const Ekf<Linear> ekf(problem);
  const Etkf<Linear, 12> etkf(problem);
  const Ensrf<Linear, 12, 2> ensrf(problem);
  Ekf<Linear>::FirstGuessBatch guess;
  auto of_ekf = ekf.start(guess, 1, {});
  auto of_etkf = etkf.start(guess, 1, {});
  auto of_ensrf = ensrf.start({}, 1, {});
  of_etkf.ensemble = some_ensemble<Ensemble8<12>>();
  const auto mean = mean_of(of_etkf.ensemble);
  Kalman kalman{zero_tensor<double>(8, 1), covariance(of_etkf.ensemble)};
  for (std::size_t i = 0; i < 8; ++i) {
    kalman.x(i, 0) = of_ekf.state[i] = mean[i];
    for (std::size_t j = 0; j < 8; ++j) of_ekf.covariance.at(i, j) = kalman.p(i, j);
    for (std::size_t m = 0; m < 12; ++m)
      for (std::size_t l = 0; l < 2; ++l)
        of_ensrf.ensemble.at(m * 8 + i, l) = of_etkf.ensemble.at(i, m);
  }
  of_ensrf.ensemble.repeat_last_lane();
  for (std::size_t cycle = 0; cycle < 6; ++cycle) {
    const auto observed = test::linear_observations(cycle);
    Ensrf<Linear, 12, 2>::Observed twice;
    for (std::size_t j = 0; j < 4; ++j)
      for (std::size_t l = 0; l < 2; ++l) {
        twice.values.at(j, l) = observed.values[j];
        twice.precision.at(j, l) = observed.precision[j];
      }
    twice.values.repeat_last_lane(), twice.precision.repeat_last_lane();
    kalman.forecast(), kalman.analyse(observed);
    ekf.forecast(of_ekf), ekf.analyse(of_ekf, observed, {});
    etkf.forecast(of_etkf), etkf.analyse(of_etkf, observed, {});
    ensrf.forecast(of_ensrf), ensrf.analyse(of_ensrf, twice, {});
    Ensrf<Linear, 12, 2>::Estimate estimate;
    ensrf.estimate(of_ensrf, estimate);
    Ensemble8<12> members;
    for (std::size_t i = 0; i < 8; ++i)
      for (std::size_t m = 0; m < 12; ++m) members.at(i, m) = of_ensrf.ensemble.at(m * 8 + i, 1);
    for (std::size_t i = 0; i < 8; ++i) {
      CHECK(std::abs(of_ekf.state[i] - kalman.x(i, 0)) < 1e-11);
      CHECK(std::abs(mean_of(of_etkf.ensemble)[i] - kalman.x(i, 0)) < 1e-10);
      CHECK(std::abs(estimate.at(i, 1) - kalman.x(i, 0)) < 1e-10);
      for (std::size_t j = 0; j < 8; ++j)
        CHECK(std::abs(of_ekf.covariance.at(i, j) - kalman.p(i, j)) < 1e-11);
    }
    CHECK(largest_difference(covariance(of_etkf.ensemble), kalman.p) < 1e-10);
    CHECK(largest_difference(covariance(members), kalman.p) < 1e-10);
  }
}

namespace {
using Lorenz = Problem<Rk4<Lorenz96<40>>, ObserveAll<40>, GaussianStart, DiagonalModelNoise<40>>;
}

TEST_CASE("member noise: who knows the noise of a truth is far better than who does not") {
  const Lorenz problem{.model_noise = DiagonalModelNoise<40>(0.1)};
  const TwinConfig config{.runs = 4, .cycles = 200, .burn_in = 80, .progress = false};
  const auto score = [&](const auto& method) {
    const auto scores = run_twin(problem, method, config);
    CHECK(scores.failures.empty());
    return scores.analysis_rmse;
  };
  const auto filter = [&](NoiseForm form) {
    return score(EnkfN<Lorenz, 40>(problem, {.forecast = {.noise = form}}));
  };
  const double ekf = score(Ekf<Lorenz>(problem));  // 0.52; 0.53, 0.53, 0.61, 1.15
  CHECK(ekf == doctest::Approx(0.515).epsilon(0.04).scale(0));
  CHECK(filter(NoiseForm::completed) == doctest::Approx(ekf).epsilon(0.06).scale(0));
  CHECK(filter(NoiseForm::square_root) == doctest::Approx(ekf).epsilon(0.06).scale(0));
  CHECK(filter(NoiseForm::sampled) < 1.3 * ekf);
  CHECK(filter(NoiseForm::ignored) > 1.6 * ekf);
  const auto local = [&](NoiseForm form) {
    return score(Letkf<Lorenz, 7>(problem, {.forecast = {.noise = form}}));
  };
  CHECK(local(NoiseForm::completed) < 0.9);  // 0.80
  CHECK(local(NoiseForm::ignored) > 2);      // 4.2
  // What has a B for all that a forecast is wrong by
  CHECK(score(Var3d<Lorenz>(problem, climatology_of(problem, {.cycles = 300}), 0.05)) < 0.8);
  // The method may know another problem: one without noise, and inflation in its place.
  using Perfect = decltype(without_model_noise(problem));
  const auto perfect = without_model_noise(problem);
  CHECK(score(EnkfN<Perfect, 40>(perfect, {.inflation = {.factor = 1.15}})) < 1.2 * ekf);  // 0.57
  CHECK(score(Ienks<Perfect, 20>(perfect, {.finite_size = true, .inflation = {.factor = 1.3}})) <
        1);
}

TEST_CASE("member noise: noise has the same bits for any number of threads") {
  const Lorenz problem{.model_noise = DiagonalModelNoise<40>(0.1)};
  const auto score = [&](const auto& method, std::size_t threads) {
    return run_twin(problem, method,
                    {.runs = 5, .cycles = 20, .burn_in = 5, .threads = threads, .progress = false})
        .run_rmse;
  };
  const auto check = [&](const auto& method) {
    CHECK(test::all_same_bits(score(method, 1), score(method, 3)));
  };
  check(Etkf<Lorenz, 7>(problem));
  check(Ensrf<Lorenz, 8, 4, float>(problem));
  check(Enkf<Lorenz, 7>(problem, {.forecast = {.noise = NoiseForm::sampled}}));
  // A run does not depend on those beside it.
  CHECK(test::all_same_bits(score(Ensrf<Lorenz, 8, 2>(problem), 1),
                            score(Ensrf<Lorenz, 8, 4>(problem), 1)));
}

TEST_CASE("member noise: a smoother's members must keep their past; bad shares are errors") {
  const Lorenz problem{.model_noise = DiagonalModelNoise<40>(0.1)};
  CHECK_THROWS_WITH_AS((Enks{Etkf<Lorenz, 20>(problem), 2}),
                       "Enks: forecast.noise is a square root, which mixes the members, so that "
                       "they no longer belong to their past; take NoiseForm::sampled",
                       ConfigError);
  const Etkf<Lorenz, 20> sampled(problem, {.forecast = {.noise = NoiseForm::sampled}});
  const TwinConfig config{.runs = 2, .cycles = 100, .burn_in = 50, .progress = false};
  const auto scores = run_twin(problem, Enks{sampled, 2}, config);
  CHECK(scores.smoothing_rmse < scores.analysis_rmse);
  for (const double bad : {-0.1, 1.0, std::nan("")})
    CHECK_THROWS_WITH_AS((Etkf<Lorenz, 5>(problem, {.forecast = {.most_failed = bad}})),
                         to_text("Etkf: forecast.most_failed is ", bad,
                                 ", expected a share from 0 (an error if one fails) to below 1")
                             .c_str(),
                         ConfigError);
  CHECK_THROWS_AS((Ensrf<Lorenz, 5>(problem, {.forecast = {.most_failed = 1}})), ConfigError);
}
