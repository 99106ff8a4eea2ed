// SPDX-License-Identifier: BSD-3-Clause
// Nothing of a silent slot enters an analysis, also where H(x) or its slope is not a number there.
#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <span>
#include <vector>

#include "dan/analysis/denkf.hpp"
#include "dan/analysis/ekf.hpp"
#include "dan/analysis/enkf.hpp"
#include "dan/analysis/enkf_n.hpp"
#include "dan/analysis/enks.hpp"
#include "dan/analysis/ensrf.hpp"
#include "dan/analysis/etkf.hpp"
#include "dan/analysis/ienks.hpp"
#include "dan/analysis/letkf.hpp"
#include "dan/analysis/oi.hpp"
#include "dan/analysis/var3d.hpp"
#include "dan/analysis/var4d.hpp"
#include "dan/integrate/rk4.hpp"
#include "dan/models/lorenz96.hpp"
#include "dan/observe/nonlinear.hpp"
#include "dan/observe/subset.hpp"

using namespace dan;

namespace {

/// √h: not defined below zero.
struct Root {
  template <class T>
  T value(const T& h) const {
    using std::sqrt;
    return sqrt(h);
  }
  template <class T>
  T slope(const T& h) const {
    return T(real_t<T>(0.5)) / value(h);
  }
};

/// The same, and something harmless below zero.
struct RootOrLine {
  template <class T>
  T value(const T& h) const {
    return where_positive(h, Root{}.value(h), h);
  }
  template <class T>
  T slope(const T& h) const {
    return where_positive(h, Root{}.slope(h), T(real_t<T>(1)));
  }
};

template <class Function>
using Lorenz = Problem<Rk4<Lorenz96<8>>, Nonlinear<ObserveSubset<8, 4>, Function>>;
constexpr std::size_t slot = 2, element = 4;  // slot 2 sees element 4

bool silent(std::size_t lane) { return lane % 2 == 0; }

/// Below zero where the slot is silent, above zero elsewhere.
template <class States>
States some_states() {
  States out;
  for (std::size_t l = 0; l < out.padded; ++l)
    for (std::size_t i = 0; i < 8; ++i)
      out.at(i, l) = static_cast<typename States::Real>(
          i == element && silent(l) ? -3 : 4 + 0.1 * static_cast<double>(i + l));
  return out;
}

template <class Observed>
Observed some_observations() {
  Observed out;
  for (std::size_t l = 0; l < out.values.padded; ++l)
    for (std::size_t j = 0; j < 4; ++j)
      if (j != slot || !silent(l)) out.values.at(j, l) = 2.125f, out.precision.at(j, l) = 4;
  return out;
}

/// The estimates of two cycles and what it was given.
template <class Method>
std::vector<double> estimates(const Method& method) {
  auto carried = method.start(some_states<typename Method::FirstGuessBatch>(), 0.3, {.seed = 1});
  typename Method::Estimate estimate;
  std::vector<double> out;
  for (int cycle = 0; cycle < 2; ++cycle) {
    method.forecast(carried);
    method.analyse(carried, some_observations<typename Method::Observed>(), {.seed = 2});
    method.estimate(carried, estimate);
    for (std::size_t l = 0; l < Method::runs; ++l)
      for (std::size_t i = 0; i < 8; ++i) out.push_back(static_cast<double>(estimate.at(i, l)));
  }
  return out;
}

/// make(problem): the method.
template <class Make>
void check(const Make& make) {
  const auto found = estimates(make(Lorenz<Root>{}));
  CHECK(std::ranges::all_of(found, [](double x) { return std::isfinite(x); }));
  CHECK(found == estimates(make(Lorenz<RootOrLine>{})));
}

Climate some_climate() {
  Climate out{zero_tensor<double>(8), zero_tensor<double>(8, 8)};
  for (std::size_t i = 0; i < 8; ++i) {
    out.mean[i] = i == element ? -3 : 4;
    for (std::size_t k = 0; k < 8; ++k)
      out.covariance(i, k) = std::exp(-std::abs(static_cast<double>(i) - static_cast<double>(k)));
  }
  return out;
}

}  // namespace

TEST_CASE("silent slots: ensemble filters") {
  check([]<class P>(const P& p) { return Etkf<P, 10>(p); });
  check([]<class P>(const P& p) { return Enkf<P, 10>(p); });
  check([]<class P>(const P& p) { return Denkf<P, 10>(p); });
  check([]<class P>(const P& p) { return Letkf<P, 10>(p); });
  check([]<class P>(const P& p) { return EnkfN<P, 10>(p); });
  check([]<class P>(const P& p) { return Enks(EnkfN<P, 10>(p), 1); });
  check([]<class P>(const P& p) { return Ensrf<P, 10, 1>(p); });
  check([]<class P>(const P& p) { return Ensrf<P, 10, 4>(p); });
  check([]<class P>(const P& p) { return Ensrf<P, 10, 16, float>(p); });
  for (const auto form : {IenksForm::transform, IenksForm::bundle})
    for (const std::size_t lag : {0U, 1U, 2U})
      for (const auto assimilation : {DataAssimilation::single, DataAssimilation::multiple})
        check([&]<class P>(const P& p) {
          return Ienks<P, 10>(p, {.lag = lag, .form = form, .assimilation = assimilation});
        });
}

TEST_CASE("silent slots: methods with a tangent of H") {
  const Climate climate = some_climate();
  check([]<class P>(const P& p) { return Ekf<P>(p); });
  check([&]<class P>(const P& p) { return Var3d<P, 1>(p, climate); });
  check([&]<class P>(const P& p) { return Var3d<P, 5>(p, climate); });
  check([&]<class P>(const P& p) { return Oi<P, 1>(p, climate); });
  for (const std::size_t lag : {0U, 1U, 2U})
    for (const auto use : {WindowUse::newest, WindowUse::all}) {
      check([&]<class P>(const P& p) { return Var4d<P, 1>(p, climate, {.lag = lag, .use = use}); });
      check([&]<class P>(const P& p) { return Var4d<P, 5>(p, climate, {.lag = lag, .use = use}); });
    }
}

TEST_CASE("silent slots: cost and gradient of 4D-Var, and the uplift") {
  const auto run = [](const auto& problem) {
    using P = std::decay_t<decltype(problem)>;
    using Method = Var4d<P, 5>;
    using T = typename Method::T;
    const Method analysis(problem, some_climate(), {.lag = 1});
    auto carried = analysis.start(some_states<typename Method::FirstGuessBatch>(), 1, {});
    analysis.forecast(carried);
    const auto observed = some_observations<typename Method::Observed>();
    carried.window.newest() = observed;
    std::vector<T, AlignedAllocator<T>> v(8, T(0.0)), gradient(8), zeta(8);
    const T cost = analysis.cost(carried, v.data());
    analysis.gradient(carried, v.data(), gradient.data());
    uplift(problem.observe, observed, carried.state.data(), zeta.data());
    std::vector<double> out;
    for (std::size_t l = 0; l < 5; ++l) {
      out.push_back(lane_of(cost, l));
      for (std::size_t i = 0; i < 8; ++i)
        out.push_back(lane_of(gradient[i], l)), out.push_back(lane_of(zeta[i], l));
    }
    return out;
  };
  const auto found = run(Lorenz<Root>{});
  CHECK(std::ranges::all_of(found, [](double x) { return std::isfinite(x); }));
  CHECK(found == run(Lorenz<RootOrLine>{}));
}

TEST_CASE("silent slots: a derivative that is not a number is no silent one") {
  const Lorenz<Root> problem;
  const auto x = some_states<Batch<double, 8, 1, 1>>();
  std::array<double, 8> d_x{};
  problem.observe.observe_adjoint(x.data(), std::array<double, 4>{1, 0, 0, 2}.data(), d_x.data());
  CHECK(std::isfinite(d_x[element]));
  problem.observe.observe_adjoint(x.data(), std::array<double, 4>{0, 0, 1, 0}.data(), d_x.data());
  CHECK(std::isnan(d_x[element]));
  CHECK(std::isfinite(d_x[0]));
  problem.observe.observe_adjoint(x.data(), std::array<double, 4>{std::nan(""), 0, 0, 0}.data(),
                                  d_x.data());
  CHECK(std::isnan(d_x[0]));
}
