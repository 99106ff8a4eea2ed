// SPDX-License-Identifier: BSD-3-Clause
#include "dan/diagnose/collapse.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <cstddef>
#include <memory>
#include <vector>

#include "dan/experiment/twin.hpp"
#include "dan/integrate/rk4.hpp"
#include "dan/models/lorenz96.hpp"
#include "dan/observe/all.hpp"
#include "dan/problem/scaling.hpp"
#include "dan/train/start.hpp"
#include "support/sometimes.hpp"

using namespace dan;

namespace {
using Lorenz = Problem<Rk4<Lorenz96<40>>, ObserveAll<40>>;
constexpr std::size_t members = 3;
using Network =
    AnalysisNetwork<NetworkShape{.filters = 8, .blocks = 1, .sub_blocks = 1, .members = members},
                    Ring<40>>;

/// Random weights large enough for members that differ.
Trained<Network> some_weights() {
  Network network;
  scale_inputs(Lorenz{}, network);
  auto trained = random_start<float>(network, 3);
  for (std::size_t i = 0; i < Network::parameters; ++i) trained.parameters[i] *= 2;
  return trained;
}

/// The same from the definition, with the network alone.
struct Plainly : EmptyRecorder {
  double pairs = 0, each = 0, change = 0, whole = 0, apart = 0, count = 0;
  void after_analysis(const auto& view) {
    if (!view.scored()) return;
    const auto& trained = view.method.trained();
    for (std::size_t l = 0; l < view.runs; ++l) {
      if (!(view.observed.precision.at(0, l) > 0)) continue;
      const auto in = LearnedIncrement<Network, float>::input(view.carried, l);
      auto collapsed = in;
      for (std::size_t i = 0; i < 40; ++i)
        for (std::size_t m = 0; m < members; ++m)
          collapsed[m * 40 + i] = (in[i] + in[40 + i] + in[80 + i]) / 3;
      const auto a = increments(trained, in), b = increments(trained, collapsed);
      for (std::size_t i = 0; i < 40; ++i) {
        double mean = 0, other = 0;
        for (std::size_t m = 0; m < members; ++m) {
          mean += a[m * 40 + i] / 3, other += b[m * 40 + i] / 3;
          each += a[m * 40 + i] * a[m * 40 + i] / 3;
          apart += std::pow(in[m * 40 + i] - collapsed[i], 2) / 3;
          for (std::size_t k = 0; k < members; ++k)
            if (k != m) pairs += a[m * 40 + i] * a[k * 40 + i] / 6;
        }
        whole += mean * mean;
        change += (mean - other) * (mean - other);
      }
      count += 40;
    }
  }
  static std::vector<double> increments(const auto& trained, const std::vector<float>& in) {
    std::vector<float> out(Network::outputs);
    const auto cache = std::make_unique<typename Network::template Cache<float>>();
    trained.network.forward(trained.parameters.data(), in.data(), out.data(), *cache);
    return {out.begin(), out.end()};  // the deviations of the observations' errors are 1
  }
  void merge(const Plainly& next) {
    pairs += next.pairs, each += next.each, change += next.change, whole += next.whole;
    apart += next.apart, count += next.count;
  }
};
}  // namespace

TEST_CASE("collapse: of two ensembles of two members, by hand") {
  const std::vector<double> weights{1, 1};
  CollapseRecorder one;
  // a_1 = (2, 0), a_2 = (0, 2), ā = (1, 1): ⟨a_i, a_i⟩ = 2, ⟨a_1, a_2⟩ = 0.
  one.add(std::vector<double>{3, 0, 1, 0}, std::vector<double>{2, 0, 0, 2},
          std::vector<double>{1, 0}, weights);
  CHECK(one.correlation() == doctest::Approx(0));
  CHECK(one.scatter() == doctest::Approx(1));
  CHECK(one.spread() == doctest::Approx(std::sqrt(0.5)));
  CHECK(one.used() == doctest::Approx(std::sqrt(0.5)));
  CollapseRecorder same;
  same.add(std::vector<double>{3, 1, 3, 1}, std::vector<double>{2, 1, 2, 1},
           std::vector<double>{2, 1}, weights);
  CHECK(same.correlation() == 1);
  CHECK(same.scatter() == 0);
  CHECK(same.spread() == 0);
  CHECK(same.used() == 0);
  one.merge(same);  // ⟨a_i, a_j⟩: (0 + 2.5)/2, ⟨a_i, a_i⟩: (2 + 2.5)/2
  CHECK(one.correlation() == doctest::Approx(2.5 / 4.5));
}

TEST_CASE_TEMPLATE("collapse: of a network's increments, pair by pair", Operator, ObserveAll<40>,
                   test::Sometimes<40>) {
  using World = Problem<Rk4<Lorenz96<40>>, Operator>;
  Plainly plainly;
  CollapseRecorder collapse;
  const World problem;
  const Learned<World, Network, 4> method(problem, some_weights(), {.way_back = false});
  const TwinConfig twin{
      .runs = 6, .cycles = 8, .burn_in = 5, .first_guess_deviation = 1, .progress = false};
  (void)run_twin(problem, method, twin, collapse, plainly);
  const double correlation = plainly.pairs / plainly.each;
  CHECK(correlation < 0.99);  // else nothing is tested
  CHECK(collapse.correlation() == doctest::Approx(correlation).epsilon(1e-4));
  CHECK(collapse.scatter() == doctest::Approx(plainly.each / plainly.whole - 1).epsilon(1e-4));
  CHECK(collapse.spread() ==
        doctest::Approx(std::sqrt(plainly.apart / plainly.count)).epsilon(1e-4));
  CHECK(collapse.used() > 0.001);
  CHECK(collapse.used() ==
        doctest::Approx(std::sqrt(plainly.change / plainly.whole)).epsilon(1e-3));
  CHECK(std::isnan(CollapseRecorder().spread()));
}
