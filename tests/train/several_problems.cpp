// SPDX-License-Identifier: BSD-3-Clause
// One network for several problems.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <mutex>
#include <span>
#include <string>
#include <vector>

#include "../support/temporary_folder.hpp"
#include "dan/analysis/etkf.hpp"
#include "dan/core/notice.hpp"
#include "dan/integrate/rk4.hpp"
#include "dan/models/lorenz96.hpp"
#include "dan/observe/random.hpp"
#include "dan/problem/scaling.hpp"
#include "dan/train/filter_teacher.hpp"
#include "dan/train/trainer.hpp"

using namespace dan;

namespace {
using Some = Problem<Rk4<Lorenz96<40>>, ObserveRandom<40>>;
using Network = AnalysisNetwork<NetworkShape{.filters = 8,
                                             .blocks = 1,
                                             .sub_blocks = 2,
                                             .kernel = 3,
                                             .head = Head::gain,
                                             .memory = 2,
                                             .gain_radius = 2,
                                             .products = 4,
                                             .sees_precision = true,
                                             .sees_scales = true},
                                Ring<40>>;
constexpr std::size_t lanes = simd_width<float>;

Some observed_by(double variance, std::size_t number, std::size_t steps) {
  return {.model = {.steps = steps},
          .observe = ObserveRandom<40>(number, number),
          .noise = DiagonalNoise<40>(variance)};
}
const std::vector<Some> three{observed_by(1, 40, 1), observed_by(0.01, 30, 2),
                              observed_by(4, 40, 1)};

Network scaled() {
  Network network;
  scale_inputs(three[0], network);
  return network;
}
Trained<Network> start() { return random_start<float>(scaled(), 1); }

TrainConfig config(std::size_t threads = 1) {
  return {.updates = 20,
          .groups = 2,
          .unroll = 2,
          .warm_up = 5,
          .renew_every = 4,
          .upsets = {.last = 0.5},
          .stay = 3,
          .taught = 0.6,
          .threads = threads,
          .progress = false};
}

/// What a loss is told.
struct Told {
  double limit, variance;
};
// NOLINTBEGIN: a loss has no state of its own
std::mutex telling;
std::vector<Told> told;
// NOLINTEND
struct TellingLoss : SupervisedLoss {
  template <std::size_t Members, class V>
  double add(const V* states, const V* truth, std::span<const double> norm, double weight,
             double limit, V* d_states) const {
    Scratch<V> error(norm.size(), Unset{});
    const V squares = squared_error<Members>(states, truth, norm, error.data());
    double variance = 0;
    for (std::size_t l = 0; l < lanes_of<V>; ++l)
      variance += static_cast<double>(lane_of(squares, l)) / (40 * lanes_of<V>);
    {
      const std::lock_guard lock(telling);
      told.push_back({limit, variance});
    }
    return SupervisedLoss::add<Members>(states, truth, norm, weight, limit, d_states);
  }
};
/// One type for all tests: it takes long to compile.
using T = Trainer<Some, Network, lanes, EnsrfTeacher<8>, TellingLoss>;
}  // namespace

TEST_CASE("several problems: groups take them in turn") {
  const Itinerary way{.problems = 5, .groups = 2, .stay = 4, .updates = 12};
  std::vector<std::size_t> first, second;
  for (std::size_t update = 0; update <= 12; ++update)
    first.push_back(way.problem(0, update)), second.push_back(way.problem(1, update));
  // Each stays four updates, the second one is two ahead; none goes after the last update.
  CHECK(first == std::vector<std::size_t>{0, 0, 0, 0, 2, 2, 2, 2, 4, 4, 4, 4, 4});
  CHECK(second == std::vector<std::size_t>{1, 1, 3, 3, 3, 3, 0, 0, 0, 0, 2, 2, 2});
  for (std::size_t update = 1; update <= 12; ++update)
    CHECK(way.begins(1, update) == (update == 2 || update == 6 || update == 10));
  CHECK(way.not_reached() == 0);
  CHECK(Itinerary{.problems = 5, .groups = 2, .stay = 4, .updates = 6}.not_reached() == 1);
  const Itinerary alone{.problems = 1, .groups = 3, .stay = 2, .updates = 9};
  for (std::size_t update = 0; update < 9; ++update) CHECK(alone.number(2, update) == 2);
  CHECK(alone.not_reached() == 0);
}

TEST_CASE("several problems: threads, and a break anywhere, change no bit") {
  T whole(three, start(), config());
  whole.run();
  T two(three, start(), config(2));
  two.run();
  CHECK(two.trained().parameters == whole.trained().parameters);
  const test::TemporaryFolder folder;
  const auto file = folder / "checkpoint.safetensors";
  for (const std::size_t moment : {1u, 2u, 3u, 4u, 6u, 7u, 11u, 12u, 13u, 19u}) {
    {
      T killed(three, start(), config());
      while (killed.updates() < moment) killed.update();
      killed.save_checkpoint(file);
    }
    T resumed(three, start(), config());
    resumed.resume(file);
    resumed.run();
    CHECK(resumed.trained().parameters == whole.trained().parameters);
    CHECK(resumed.report().rmse == whole.report().rmse);
  }
  const std::vector<Some> others{three[0], three[1]};
  T other(others, start(), config());
  CHECK_THROWS_AS(other.resume(file), FileError);
}

TEST_CASE("several problems: an empty list and a stay of nothing are refused") {
  CHECK_THROWS_WITH_AS(T(std::vector<Some>{}, start(), config()),
                       doctest::Contains("the number of problems is 0, expected at least 1"),
                       ConfigError);
  auto bad = config();
  bad.stay = 0;
  CHECK_THROWS_WITH_AS(T(three, start(), bad), doctest::Contains("stay is 0"), ConfigError);
  // A filter is of one problem.
  using Filter = Etkf<Some, 5>;
  using Taught = Trainer<Some, Network, lanes, FilterTeacher<Filter>>;
  CHECK_THROWS_WITH_AS(Taught(three, start(), config(), {Filter(three[0])}),
                       doctest::Contains("is a filter of one problem, found 3 problems"),
                       ConfigError);
  // Of one that no group has reached yet the first guesses cannot be made: it is said at once.
  auto far = three;
  far.push_back(three[0]);
  far[3].model.ode.forcing = 25;
  CHECK_THROWS_WITH_AS(T(far, start(), config()), doctest::Contains("outside the bounds"),
                       ConfigError);
}

TEST_CASE("several problems: each counts alike, however large its errors are") {
  // One that is observed a hundred times as accurately, side by side with the other.
  const std::vector<Some> problems{observed_by(1e-4, 40, 1), observed_by(1, 40, 1)};
  TrainConfig config{.updates = 400,
                     .groups = 2,
                     .unroll = 2,
                     .learning_rate = 1e-3,
                     .warm_up = 20,
                     .stay = 1000,
                     .threads = 1,
                     .progress = false};
  T trainer(problems, start(), config);
  told.clear();
  trainer.run();
  // In turn two cycles of one and two of the other. In the last fifty updates the limit is five
  // usual errors of each, and either is analysed better than it is observed.
  for (const std::size_t group : {0u, 1u}) {
    double variance = 0, limit = 0;
    for (std::size_t n = told.size() - 200; n < told.size(); ++n)
      if (n / 2 % 2 == group) variance += told[n].variance / 100, limit += told[n].limit / 100;
    CHECK(limit / std::sqrt(variance) == doctest::Approx(5).epsilon(0.3).scale(0));
    CHECK(std::sqrt(variance / problems[group].noise.variance(0)) < 0.8);
  }
}

TEST_CASE("several problems: gradients count in units of their usual norm") {
  // Two lists of two equal problems: the losses of one are 10,000 times those of the other, and
  // plain gradient descent moves the weights as far.
  const auto moved = [](const std::vector<Some>& problems) {
    TrainConfig config{.updates = 30,
                       .groups = 2,
                       .unroll = 2,
                       .warm_up = 1,
                       .use_muon = false,
                       .adam = {.beta1 = 0, .beta2 = 0, .epsilon = 1},  // plain gradient descent
                       .threads = 1,
                       .progress = false};
    T trainer(problems, start(), config);
    trainer.update(), trainer.update();
    const auto before = trainer.trained().parameters;
    trainer.update();
    double square = 0;
    for (std::size_t i = 0; i < Network::parameters; ++i)
      square += std::pow(trainer.trained().parameters[i] - before[i], 2);
    return std::sqrt(square);
  };
  const Some precise = observed_by(1e-4, 40, 1), coarse = observed_by(1, 40, 1);
  const double one = moved({precise, precise}), other = moved({coarse, coarse});
  CHECK(one / other > 0.3);
  CHECK(one / other < 3);
}

TEST_CASE("several problems: the network knows their range") {
  const auto trained = [] {
    auto brief = config();
    brief.updates = 6;
    // Weights of another training, with a record of their own.
    auto from = start();
    from.trained_for = trained_for(observed_by(100, 3, 9), from.network);
    from.trained_for->innovation = 77;
    return T(three, from, brief).run();
  }();
  const auto& record = *trained.trained_for;
  CHECK(record.least_variance == 0.01);
  CHECK(record.most_variance == 4);
  CHECK(record.least_observed == 0.75);
  CHECK(record.most_observed == 1);
  CHECK(record.innovation < 70);
  // A finish that does not reach the last one again keeps what was usual there.
  auto brief = config();
  brief.updates = 6, brief.stay = 6;
  auto begun = trained;
  begun.trained_for->problems[2].innovation = 33;
  std::string said_of_it;
  const auto before = set_notice_handler([&](const std::string& text) { said_of_it = text; });
  const T finish(three, begun, brief);
  set_notice_handler(before);
  CHECK(finish.trained().trained_for->problems[2].innovation == 33);
  CHECK(said_of_it.find("1 of 3 problems are not reached in 6 updates") != std::string::npos);
  REQUIRE(record.problems.size() == 3);
  for (std::size_t n = 0; n < 3; ++n) {
    const auto& one = record.problems[n];
    CHECK(one.variance == three[n].noise.variance(0));
    CHECK(one.innovation <= record.innovation);
    CHECK(record.innovation_at(trained_for(three[n], trained.network)) == one.innovation);
  }
  // Near the second one: but for the interval, which is that of the others.
  CHECK(record.innovation_at(trained_for(observed_by(0.02, 31, 1), trained.network)) ==
        record.problems[1].innovation);
  CHECK(record.problem.ends_with("(the first of 3 problems)"));
  const auto at_once = trained_for(three[0], scaled()), later = trained_for(three[1], scaled());
  CHECK(record.change == at_once.change);
  CHECK(record.most_change == later.change);
  CHECK(record.mean_change == std::min(at_once.mean_change, later.mean_change));
  CHECK(record.most_mean_change == std::max(at_once.mean_change, later.mean_change));
  const auto text = nlohmann::ordered_json(record);
  const auto read = text.get<TrainedFor>();
  CHECK(read.most_change == record.most_change);
  CHECK(nlohmann::ordered_json(read) == text);
  // A file of one problem has one change.
  const auto one = nlohmann::ordered_json(at_once);
  CHECK(!one.contains("most_change"));
  CHECK(one.get<TrainedFor>().most_change == one["change"][1]);

  const auto said = [&](const Some& problem) {
    return differences(record, trained_for(problem, trained.network)).size();
  };
  for (const auto& problem : three) CHECK(said(problem) == 0);
  CHECK(said(observed_by(0.1, 35, 2)) == 0);  // none of them, but between them
  CHECK(said(observed_by(0.1, 35, 3)) == 1);
  CHECK(said(observed_by(0.001, 10, 1)) == 2);
}
