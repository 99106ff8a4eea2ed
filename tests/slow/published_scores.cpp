// SPDX-License-Identifier: BSD-3-Clause
// Scores against published numbers, and the main promise: a DAN trained for a minute or two.
// Bands: the published last digit, plus three standard errors of ours (printed by the interval).
#include <doctest/doctest.h>

#include "dan/dan.hpp"

using namespace dan;

namespace {
using Problem = Setting<Rk4<Lorenz96<40>>, FullNetwork<40>>;
const TwinConfig config{.runs = 64, .cycles = 2000, .burn_in = 400, .seed = 3};

template <class Method>
double score(const Method& method) {
  const auto scores = run_twin(Problem{}, method, config);
  CHECK(scores.failures.empty());
  MESSAGE("aRMSE ", scores.analysis_rmse, " in [", scores.interval.low, ", ", scores.interval.high,
          "]");
  return scores.analysis_rmse;
}
}  // namespace

TEST_CASE("EnKF-N and 3D-Var reach the published scores over 100,000 cycles") {
  const Problem problem;
  CHECK(std::abs(score(EnkfN<Problem, 20>(problem)) - 0.191) < 0.005);  // talk
  CHECK(std::abs(score(EnkfN<Problem, 40>(problem)) - 0.179) < 0.005);  // talk
  const auto climate = climatology_of(problem);
  CHECK(std::abs(score(Var3d<Problem>(problem, climate, tune_var3d(problem, climate))) - 0.41) <
        0.01);  // DAPPER, sakov2008
}

TEST_CASE("a small DAN, trained from scratch, reaches 0.24 from one state") {
  using Network = AnalysisNetwork<NetworkShape{.blocks = 5, .sub_blocks = 2, .head = Head::gain}>;
  const Problem problem;
  Network network;
  scale_inputs(problem, network);
  Trainer<Problem, Network, 32> trainer(problem, network, {.groups = 2});
  CHECK(score(Learned<Problem, Network>(problem, trainer.run())) < 0.24);
  CHECK(trainer.report().last_restart < 500);
}
