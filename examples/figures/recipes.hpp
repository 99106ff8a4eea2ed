// SPDX-License-Identifier: BSD-3-Clause
#pragma once
// How each learned row of the talk's table is trained; docs/training.md says why so.
#include <cmath>
#include <cstddef>
#include <filesystem>
#include <string>
#include <vector>

#include "../support.hpp"

namespace example {

using Lorenz = dan::Problem<dan::Rk4<dan::Lorenz96<40>>, dan::ObserveAll<40>>;
/// Zero to forty observations at random places, others in every cycle.
using SparseProblem = dan::Problem<dan::Rk4<dan::Lorenz96<40>>, dan::ObserveRandom<40>>;

/// A network, the problem that it is trained for, and how, with how many runs in a group. `name` is
/// that of its weights file.
template <class Network_, std::size_t Lanes = 32, class Problem_ = Lorenz,
          class Teacher = dan::EnsrfTeacher<64>>
struct LearnedRow {
  static constexpr std::size_t lanes = Lanes;
  using Network = Network_;
  using Problem = Problem_;
  std::string name, method, published;
  dan::Recipe<Teacher> recipe;
  /// A row whose weights a training begins with: those of the same network with a memory.
  std::string start{};
  /// Several problems, if the network serves more than one.
  std::vector<Problem> problems{};

  [[nodiscard]] std::filesystem::path file(const std::filesystem::path& folder) const {
    return folder / (name + ".safetensors");
  }
};

/// The talk's wide network.
inline constexpr dan::NetworkShape wide_shape{.filters = 100, .blocks = 5, .sub_blocks = 5};
// The talk's linear and simplified networks, with fewer layers than the talk's.
inline constexpr dan::NetworkShape linear_shape{
    .filters = 40, .blocks = 2, .sub_blocks = 2, .activation = dan::Nonlinearity::identity};
inline constexpr dan::NetworkShape simplified_shape{
    .filters = 40, .blocks = 2, .sub_blocks = 2, .sees_forecast = false};
// The small network with three states: E^f and ζ as channels, an increment for each member.
inline constexpr dan::NetworkShape members_shape = [] {
  dan::NetworkShape shape = dan::pretrained::Small::shape;
  shape.members = 3;
  return shape;
}();

/// call(row) for every learned row under full observation.
template <class Call>
void for_each_row(const Call& call) {
  using namespace dan;
  call(LearnedRow<pretrained::Plain>{"plain", "40 filters", "0.191", pretrained::plain_recipe()});
  call(LearnedRow<AnalysisNetwork<wide_shape, Ring<40>>, 16>{
      "wide",
      "100 filters",
      "0.185",
      {.training = training_without_memory(4000), .finish = {.share = 0.25, .unroll = 32}}});
  // From good weights, and through one cycle: the gradient of a longer chain also goes through the
  // way back, where it grows, and a run without memory that is upset stays so for long.
  call(LearnedRow<pretrained::Memoryless, 16, Lorenz, NoTeacher>{
      "memoryless",
      "recurrent, its memory from x^f",
      "-",
      {.training = {.updates = 2500,
                    .groups = 8,
                    .unroll = 1,
                    .learning_rate = 1e-4,
                    .warm_up = 200,
                    .loss_limit = 0.3,
                    .muon = {.rate = 12}}},
      "recurrent"});
  call(LearnedRow<AnalysisNetwork<linear_shape, Ring<40>>, 32, Lorenz, NoTeacher>{
      "linear", "linear", "0.384", {.training = {.updates = 3000, .groups = 2, .unroll = 4}}});
  call(LearnedRow<AnalysisNetwork<simplified_shape, Ring<40>>, 32, Lorenz, NoTeacher>{
      "simplified",
      "does not see x^f",
      "0.382",
      {.training = {.updates = 4000, .groups = 2, .unroll = 4}}});
  call(LearnedRow<pretrained::Small, 16>{"small", "products, gain head, memory", "-",
                                         pretrained::small_recipe()});
  call(LearnedRow<AnalysisNetwork<members_shape, Ring<40>>, 16>{
      "members",
      "small with 3 states",
      "-",
      {.training = training_with_memory(8000), .finish = {.share = 0.25}}});
  call(LearnedRow<pretrained::Recurrent, 16>{"recurrent", "products, gain head, memory", "-",
                                             pretrained::recurrent_recipe()});
}

/// The row for random sparse networks.
inline LearnedRow<dan::pretrained::Sparse, 16, SparseProblem> sparse_row() {
  return {"sparse", "small, shown where it observes", "-", dan::pretrained::sparse_recipe()};
}

/// Lorenz 96 observed every `steps` steps of 0.05, `observed` numbers of it at random places that
/// change from cycle to cycle, with errors of this variance.
inline SparseProblem observed_by(double variance, std::size_t observed, std::size_t steps) {
  return {.model = {.steps = steps},
          .observe = dan::ObserveRandom<40>(observed, observed),
          .noise = dan::DiagonalNoise<40>(variance)};
}

/// What the universal network is trained for: variances from 0.08 to 12.5 and two to forty
/// observations, both spread evenly over their logarithms, every fourth problem all observed, every
/// 0.05 to 0.2. Left out is what no method can follow.
inline std::vector<SparseProblem> universal_problems() {
  constexpr std::size_t count = 96;
  // Radical inverses: numbers in [0, 1) that fill it evenly (Halton, Numer. Math. 2 (1960) 84–90).
  const auto inverse = [](std::size_t n, std::size_t base) {
    double x = 0, digit = 1;
    for (; n > 0; n /= base) digit /= static_cast<double>(base), x += digit * double(n % base);
    return x;
  };
  std::vector<SparseProblem> problems;
  for (std::size_t n = 1; problems.size() < count; ++n) {
    const double variance = 0.08 * std::pow(156.0, inverse(n, 2));
    const auto some = static_cast<std::size_t>(std::round(2 * std::pow(20.0, inverse(n, 3))));
    const std::size_t observed = problems.size() % 4 == 0 ? 40 : some;
    const auto steps = 1 + static_cast<std::size_t>(4 * inverse(n, 5));
    if (static_cast<double>(observed) < 0.8 * variance * static_cast<double>(steps)) continue;
    problems.push_back(observed_by(variance, observed, steps));
  }
  return problems;
}

/// The row of one network for all of them.
inline LearnedRow<dan::pretrained::Universal, 16, SparseProblem> universal_row() {
  dan::TrainConfig training = dan::training_with_memory(30000);
  training.groups = 4;
  training.learning_rate = 1.5e-3;
  training.taught_gain = 20;
  return {"universal",
          "recurrent, shown what it observes",
          "-",
          {.training = training,
           .finish = {.share = 0.25, .unroll = 32},
           .teacher = {.inflation = 1.02}},
          "",
          universal_problems()};
}

}  // namespace example
