// SPDX-License-Identifier: BSD-3-Clause
// The shipped networks find the truth from any first guess, and find it again.
#include <doctest/doctest.h>

#include <string>
#include <type_traits>

#include "dan/dan.hpp"

using namespace dan;

namespace {
using Lorenz = Problem<Rk4<Lorenz96<40>>, ObserveAll<40>>;

/// Every run comes back from everything, from bad starts no later than the EnKF-N with 20 members.
template <class Network>
void check(const std::string& name) {
  const Lorenz problem;
  const auto trained = load_weights<Network>(DAN_WEIGHTS "/" + name + ".safetensors");
  const Learned<Lorenz, Network, 16> dan{problem, trained};
  const EnkfN<Lorenz, 20> ensemble{problem};
  const auto starts = [&](const Shock& shock) {
    CAPTURE(shock.name);
    const auto found = run_shock(problem, dan, shock), theirs = run_shock(problem, ensemble, shock);
    MESSAGE(name, ", ", shock.name, ": ", found.never, " of ", found.events, " never, median ",
            found.quantile(0.5), " (EnKF-N ", theirs.quantile(0.5), "), most ", found.quantile(1));
    CHECK(found.events == 64);
    CHECK(found.never == 0);
    CHECK(found.lost == 0);
    // Medians of 64 runs that differ by some ten cycles: two cycles are within their sampling
    // error.
    CHECK(found.quantile(0.5) <= theirs.quantile(0.5) + 2);
  };
  for (const double deviation : {1.0, 3.0, 5.0, 7.0})
    starts({to_text("truth + ", deviation, " N(0, 1)"), FirstGuess::far, deviation});
  starts({"climatological mean", FirstGuess::climate, 3});
  starts({"another state", FirstGuess::elsewhere, 3});

  const auto comes_back = [&](const Shock& shock) {
    CAPTURE(shock.name);
    const auto back = run_shock(problem, dan, shock, {.runs = 32, .cycles = 3000});
    MESSAGE(name, ", ", shock.name, ": ", back.never, " of ", back.events, " never, median ",
            back.quantile(0.5), ", most ", back.quantile(1));
    CHECK(back.events == 416);
    CHECK(back.never == 0);
    CHECK(back.lost == 0);
  };
  comes_back({.name = "jump", .event = ShockEvent::jump, .size = 5});
  comes_back({.name = "gap of 37", .event = ShockEvent::gap, .gap = 37});
  comes_back({.name = "gap of 50", .event = ShockEvent::gap, .gap = 50});
}
}  // namespace

TEST_CASE("the shipped recurrent network comes back") { check<pretrained::Recurrent>("recurrent"); }
TEST_CASE("the shipped network of one state comes back") {
  check<pretrained::Memoryless>("memoryless");
}
TEST_CASE("the shipped small network comes back") { check<pretrained::Small>("small"); }
TEST_CASE("the shipped sparse network comes back") { check<pretrained::Sparse>("sparse"); }
TEST_CASE("the shipped universal network comes back") { check<pretrained::Universal>("universal"); }
TEST_CASE("the shipped plain network comes back") { check<pretrained::Plain>("plain"); }

TEST_CASE("without shocks the shipped networks take no way back") {
  const auto went_back = []<class Network, class Setting>(std::type_identity<Network>,
                                                          const std::string& name,
                                                          const Setting& problem) {
    const auto trained = load_weights<Network>(DAN_WEIGHTS "/" + name + ".safetensors");
    const auto scores = run_twin(problem, Learned<Setting, Network, 16>{problem, trained},
                                 {.runs = 64, .cycles = 3000, .burn_in = 100});
    MESSAGE(name, ": ", scores.went_back, " of ", scores.cycles, " cycles");
    CHECK(scores.went_back == 0);
  };
  went_back(std::type_identity<pretrained::Recurrent>(), "recurrent", Lorenz{});
  went_back(std::type_identity<pretrained::Small>(), "small", Lorenz{});
  using AtRandom = Problem<Rk4<Lorenz96<40>>, ObserveRandom<40>>;
  went_back(std::type_identity<pretrained::Sparse>(), "sparse", AtRandom{});
}

TEST_CASE("a shipped network of the Kuramoto–Sivashinsky equation comes back from jumps") {
  // Every 4 units of time: a lost state is hardly farther from the observations than a good one.
  using Waves = Problem<Repeated<Etdrk4<KuramotoSivashinsky<128>>>, ObserveAll<128>,
                        KuramotoSivashinskyStart>;
  const Waves problem{.model = {.model = {}, .count = 8}};
  using Network = pretrained::KuramotoSivashinsky;
  const auto trained =
      load_weights<Network>(DAN_WEIGHTS "/kuramoto_sivashinsky_memory_4.safetensors");
  const auto back = run_shock(problem, Learned<Waves, Network, 16>{problem, trained},
                              {.event = ShockEvent::jump, .size = 5}, {.runs = 32, .cycles = 3000});
  MESSAGE("median ", back.quantile(0.5), ", most ", back.quantile(1));
  CHECK(back.events == 416);
  CHECK(back.never == 0);
  CHECK(back.lost == 0);
}

TEST_CASE("the shipped sparse network comes back from gaps under observations at random places") {
  using Sparse = Problem<Rk4<Lorenz96<40>>, ObserveRandom<40>>;
  const Sparse problem;
  const auto trained = load_weights<pretrained::Sparse>(DAN_WEIGHTS "/sparse.safetensors");
  const Learned<Sparse, pretrained::Sparse, 16> dan{problem, trained};
  for (const std::size_t gap : {20U, 37U, 60U}) {  // its usual error is 0.28
    const auto back = run_shock(problem, dan, {.event = ShockEvent::gap, .every = 250, .gap = gap},
                                {.runs = 32, .cycles = 1500, .found = 0.5});
    MESSAGE("gap of ", gap, ": ", back.never, " of ", back.events, " never, median ",
            back.quantile(0.5), ", most ", back.quantile(1));
    CHECK(back.events == 128);
    CHECK(back.never == 0);
  }
}
