// SPDX-License-Identifier: BSD-3-Clause
// Every method tells its model the time.
#include <doctest/doctest.h>

#include <array>
#include <cmath>
#include <cstddef>

#include "dan/analysis/carried.hpp"
#include "dan/analysis/climatology.hpp"
#include "dan/analysis/ekf.hpp"
#include "dan/analysis/enkf_n.hpp"
#include "dan/analysis/enks.hpp"
#include "dan/analysis/ensrf.hpp"
#include "dan/analysis/etkf.hpp"
#include "dan/analysis/ienks.hpp"
#include "dan/analysis/learned.hpp"
#include "dan/analysis/letkf.hpp"
#include "dan/analysis/var3d.hpp"
#include "dan/analysis/var4d.hpp"
#include "dan/integrate/rk4.hpp"
#include "dan/models/lorenz96.hpp"
#include "dan/network/weights.hpp"
#include "dan/observe/all.hpp"
#include "dan/observe/random.hpp"
#include "dan/problem/climate.hpp"
#include "dan/problem/scaling.hpp"
#include "dan/train/start.hpp"
#include "dan/train/trainer.hpp"
#include "support/temporary_folder.hpp"

using namespace dan;

namespace {
/// Lorenz 96 with a year of 0.4 time units, eight cycles.
struct Seasons {
  using Geometry = Ring<12>;
  static constexpr std::size_t points = 12, channels = 1;
  Lorenz96<12> lorenz{};
  template <class T>
  void tendency(const T* x, T* dxdt, double time) const {
    lorenz.tendency(x, dxdt);
    for (std::size_t i = 0; i < points; ++i) dxdt[i] = dxdt[i] + 6 * std::sin(15.7 * time);
  }
};
using Year = Problem<Rk4<Seasons>, ObserveAll<12>>;
constexpr std::size_t start = 3, cycles = 11;

/// The largest error of the estimates in eleven cycles without observations, from the truth of
/// cycle 3; half of them after a save and a load.
template <class Method>
double error(const Year& problem, const Method& method) {
  TwinTruth<Year, Method::runs> twin(problem, {.seed = 3});
  for (std::size_t n = 0; n < start; ++n) twin.next();
  auto carried = method.start(twin.truth(), 1e-7, {.seed = 1, .cycle = start});
  const typename Method::Observed silent{};
  typename Method::Estimate estimate;
  const test::TemporaryFolder folder;
  double worst = 0;
  for (std::size_t k = start + 1; k <= start + cycles; ++k) {
    twin.next();
    method.forecast(carried);
    method.analyse(carried, silent, {.seed = 1, .cycle = k});
    if (k == start + 5) {
      save_carried(method, carried, k, folder / "carried");
      carried = load_carried(method, folder / "carried").carried;
    }
    method.estimate(carried, estimate);
    for (std::size_t i = 0; i < 12; ++i)
      for (std::size_t l = 0; l < Method::runs; ++l)
        worst = std::max(worst, std::abs(estimate.at(i, l) - twin.truth().at(i, l)));
  }
  return worst;
}
}  // namespace

TEST_CASE("timed model: every method forecasts with the time of its cycle") {
  const Year problem;
  const Climate climate = climatology_of(problem, {.cycles = 200});
  CHECK(error(problem, EnkfN<Year, 6>(problem)) < 1e-4);
  CHECK(error(problem, Etkf<Year, 6>(problem)) < 1e-4);
  CHECK(error(problem, Letkf<Year, 6>(problem)) < 1e-4);
  CHECK(error(problem, Ensrf<Year, 6, 4>(problem)) < 1e-4);
  CHECK(error(problem, Ekf<Year>(problem)) < 1e-4);
  CHECK(error(problem, Enks{Etkf<Year, 6>(problem), 3}) < 1e-4);
  for (const std::size_t shift : {std::size_t{1}, std::size_t{2}})
    for (const std::size_t lag : {std::size_t{0}, std::size_t{3}})
      if (shift == 1 || lag > 0) {
        CAPTURE(lag);
        CHECK(error(problem, Ienks<Year, 6>(problem, {.lag = lag, .shift = shift})) < 1e-4);
        CHECK(error(problem, Var4d<Year, 4>(problem, climate, {.lag = lag, .shift = shift})) <
              1e-4);
      }
  CHECK(error(problem, Var3d<Year, 4>(problem, climate)) < 1e-4);
}

TEST_CASE("timed model: a network is trained and used at the time of its cycles") {
  const Year problem;
  using Network = NetworkFor<Year, NetworkShape{.filters = 8, .blocks = 1, .sub_blocks = 1}>;
  Network network;
  scale_inputs(problem, network);
  const auto start_weights = random_start<float>(network, 1);
  CHECK(error(problem, Learned<Year, Network, 4, float>(problem, start_weights)) < 1e-4);

  // Without observations the analysis is the forecast, and the error in training that of the model
  // from a first guess at the truth: nothing, if the cycles begin at the right times.
  using Unseen = Problem<Rk4<Seasons>, ObserveRandom<12>>;
  const Unseen unseen{.observe = ObserveRandom<12>(0, 0)};
  Trainer<Unseen, Network, 16> trainer(unseen, network,
                                       {.updates = 20,
                                        .groups = 1,
                                        .unroll = 3,
                                        .warm_up = 5,
                                        .first_guess_deviation = 1e-5,
                                        .seed = 1,
                                        .threads = 1});
  for (int n = 0; n < 3; ++n) CHECK(trainer.update() < 1e-3);
}
