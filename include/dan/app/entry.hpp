// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "dan/analysis/backward_kalman.hpp"
#include "dan/analysis/ekf.hpp"
#include "dan/analysis/enkf.hpp"
#include "dan/analysis/enkf_n.hpp"
#include "dan/analysis/etkf.hpp"
#include "dan/analysis/ienks.hpp"
#include "dan/analysis/learned.hpp"
#include "dan/analysis/letkf.hpp"
#include "dan/analysis/var3d.hpp"
#include "dan/analysis/var4d.hpp"
#include "dan/app/assimilate.hpp"
#include "dan/app/beliefs.hpp"
#include "dan/app/menu.hpp"
#include "dan/network/weights.hpp"
#include "dan/train/recipe.hpp"

namespace dan::app {

namespace detail {
/// use(a constant of this number), if it is one of the `Sizes` that are compiled in.
template <std::size_t... Sizes, class Use>
void with_members(double members, const Use& use) {
  const bool found = ((members == static_cast<double>(Sizes)
                           ? (use(std::integral_constant<std::size_t, Sizes>()), true)
                           : false) ||
                      ...);
  if (found) return;
  throw ConfigError(to_text("members is ", members, ", expected one that this program has: ",
                            joined(std::array{Sizes...})));
}

/// A number of cycles, steps or slots.
inline std::size_t whole(const std::string& name, double value, double least) {
  if (!(value >= least && value <= 1000 && value == std::floor(value)))
    throw ConfigError(
        to_text(name, " is ", value, ", expected a whole number from ", least, " to 1000"));
  return static_cast<std::size_t>(value);
}
}  // namespace detail

/// Makes an entry of a menu from a problem's type.
///
///     Menu menu;
///     menu.add(Entry("mine", "My model", {}, [](Values) { return MyProblem(); })
///                  .filters()
///                  .network<MyNetwork, 16>("small", "…", recipe)
///                  .entry());
/// `make(values)` returns the problem for the numbers of its parameters.
template <class Make>
class Entry {
 public:
  using Problem = std::invoke_result_t<Make, Values>;
  /// Whether the places of observations come with them, from a file perhaps.
  static constexpr bool from_file = MovingOperator<typename Problem::Operator>;

  Entry(std::string name, std::string about, std::vector<Parameter> parameters, Make make)
      : make_(std::move(make)) {
    entry_.name = std::move(name);
    entry_.about = std::move(about);
    entry_.parameters = std::move(parameters);
    entry_.points = Problem::points, entry_.channels = Problem::channels;
  }

  [[nodiscard]] const ProblemEntry& entry() const { return entry_; }

  /// A method: make(problem, values, use) makes it and hands it to `use`.
  template <class MakeMethod>
  Entry& method(const std::string& name, const std::string& about,
                const std::vector<Parameter>& parameters, const MakeMethod& make) {
    Method method{name, about, parameters};
    const auto with = [make](const Problem& problem, const Choice& choice, const auto& use) {
      make(problem, Values(choice.method), use);
    };
    add_experiments(method, with);
    add_cycles(method, [with](const Problem& problem, const Choice& choice, std::size_t,
                              const auto& use) { with(problem, choice, use); });
    entry_.methods.push_back(std::move(method));
    return *this;
  }

  /// A network with its recipe, which can be trained, in groups of `Runs` runs.
  template <class Network, std::size_t Runs, class Teacher>
  Entry& network(const std::string& name, const std::string& about, const Recipe<Teacher>& recipe) {
    Method method{name, about};
    method.weights = Network::parameters;
    const auto with = [name]<class Analysis>(std::type_identity<Analysis>, const Problem& problem,
                                             const Choice& choice, const auto& use) {
      if (choice.weights.empty())
        throw ConfigError(
            to_text(name, " has no weights, expected ", name,
                    ":weights=FILE; weights/ of the library has some, `train` makes others"));
      use(Analysis(problem, load_weights<Network>(choice.weights)));
    };
    using Alone = Learned<Problem, Network, 1>;
    using SideBySide = Learned<Problem, Network, 16>;
    add_experiments(method, [with](const Problem& problem, const Choice& choice, const auto& use) {
      with(std::type_identity<SideBySide>(), problem, choice, use);
    });
    add_cycles(method, [with](const Problem& problem, const Choice& choice, std::size_t runs,
                              const auto& use) {
      if (runs > 1)
        with(std::type_identity<SideBySide>(), problem, choice, use);
      else
        with(std::type_identity<Alone>(), problem, choice, use);
    });
    method.train = [recipe, make = Chosen{make_}](const Choice& choice, const Training& training) {
      const auto checkpoints = checkpoints_of(training);
      const Problem problem = make(choice);
      Recipe<Teacher> mine = recipe;
      if (training.updates > 0) mine.training.updates = training.updates;
      mine.training.seed = training.seed;
      set_fields("train", mine.training, training.fields);
      mine.training.threads = training.threads;
      if (!training.finish) mine.finish.share = 0;
      auto [trained, report] =
          choice.weights.empty()
              ? train<Network, Runs>(problem, mine, checkpoints)
              : train<Runs>(problem, load_weights<Network>(choice.weights), mine, checkpoints);
      save_weights(training.out, trained,
                   {{"command", training.command},
                    {"training", json_of_fields(mine.training).dump()},
                    {"training_seconds", to_text(std::round(report.seconds))}});
      return report;
    };
    entry_.methods.push_back(std::move(method));
    return *this;
  }

  /// 3D-Var, 4D-Var, EKF, also along the way back, EnKF, ETKF, EnKF-N, LETKF and IEnKS, of which
  /// those that suit the problem.
  Entry& filters() {
    const Parameter inflation{
        "inflation", "factor of the anomalies", 1.02, {1, 1.01, 1.02, 1.04, 1.06, 1.1}},
        members{"members", "20 or 40", 40},
        x_b{"x_B", "share of the climate's covariance", 0.02, {0.005, 0.01, 0.02, 0.05, 0.1, 0.2}};
    method("3dvar", "3D-Var, B a share of the climate's covariance", {x_b},
           [](const Problem& p, Values v, const auto& use) {
             use(Var3d<Problem>(p, climatology_of(p), v[0]));
           });
    method("enkf", "stochastic EnKF", {inflation, members},
           [](const Problem& p, Values v, const auto& use) {
             detail::with_members<20, 40>(
                 v[1], [&](auto n) { use(Enkf<Problem, n>(p, {.inflation = {.factor = v[0]}})); });
           });
    method("etkf", "ETKF, symmetric root, random rotations", {inflation, members},
           [](const Problem& p, Values v, const auto& use) {
             detail::with_members<20, 40>(v[1], [&](auto n) {
               use(Etkf<Problem, n>(p, {.inflation = {.factor = v[0]}, .rotation = true}));
             });
           });
    method("letkf", "LETKF, domains of `radius`",
           {inflation,
            {"members", "10 or 20", 20},
            {"radius", "of the taper, in grid steps", 4, {2, 4, 6}}},
           [](const Problem& p, Values v, const auto& use) {
             detail::with_members<10, 20>(v[1], [&](auto n) {
               use(Letkf<Problem, n>(
                   p, {.radius = v[2], .inflation = {.factor = v[0]}, .rotation = true}));
             });
           });
    method("enkf-n", "finite-size EnKF-N: no inflation to tune", {members},
           [](const Problem& p, Values v, const auto& use) {
             detail::with_members<20, 40>(v[0], [&](auto n) { use(EnkfN<Problem, n>(p, {})); });
           });
    if constexpr (!from_file && DifferentiableModel<typename Problem::Model> &&
                  Problem::size <= 200) {
      method("4dvar", "4D-Var over `lag` cycles", {x_b, {"lag", "cycles in a window", 4}},
             [](const Problem& p, Values v, const auto& use) {
               use(Var4d<Problem>(p, climatology_of(p),
                                  {.scale = v[0], .lag = detail::whole("lag", v[1], 0)}));
             });
      method("ekf", "extended Kalman filter",
             {{"inflation", "of deviations", 1.06, {1.01, 1.02, 1.04, 1.06, 1.1, 1.2}}},
             [](const Problem& p, Values v, const auto& use) {
               use(Ekf<Problem>(p, {.inflation = v[0]}));
             });
      if constexpr (ReversibleModel<typename Problem::Model>)
        method("backward-kalman", "Kalman's covariance along `cycles` back from the forecast",
               {{"cycles", "of the way back", 20, {8, 12, 16, 20, 24}},
                {"variance", "at its beginning", 0.01, {0.005, 0.01, 0.02}},
                {"inflation", "of deviations", 1.015, {1, 1.01, 1.015, 1.025}}},
               [](const Problem& p, Values v, const auto& use) {
                 use(BackwardKalman<Problem>(p, {.cycles = detail::whole("cycles", v[0], 1),
                                                 .start_variance = v[1],
                                                 .inflation = v[2]}));
               });
    }
    if constexpr (!from_file && Problem::perfect_model)
      method("ienks", "IEnKS-N of 40 members: iterative, finite-size",
             {{"inflation", "factor of the anomalies", 1},
              {"lag", "cycles in a window", 1, {1, 3, 5}}},
             [](const Problem& p, Values v, const auto& use) {
               use(Ienks<Problem, 40>(p, {.lag = detail::whole("lag", v[1], 0),
                                          .finite_size = true,
                                          .inflation = {.factor = v[0]}}));
             });
    return *this;
  }

  /// That analyses are `interval(values)` apart, in units of the problem.
  Entry& interval(const std::function<double(Values)>& interval) {
    entry_.interval = interval;
    return *this;
  }
  /// That a twin experiment can be written into files, with cycles `interval(values)` apart.
  Entry& writes_observations(const std::function<double(Values)>& interval) {
    this->interval(interval);
    entry_.make = [make = make_, interval](Values values, std::size_t cycles, std::uint64_t seed,
                                           const std::filesystem::path& folder) {
      make_observations(make(values), interval(values), cycles, seed, folder);
    };
    return *this;
  }

 private:
  /// The problem with the numbers, and the model if it takes one, of a choice.
  struct Chosen {
    Make make;
    Problem operator()(const Choice& choice) const {
      Problem problem = make(Values(choice.problem));
      if constexpr (requires { problem.model.model.call = choice.model; })
        problem.model.model.call = choice.model;
      else if (choice.model)
        throw ConfigError("a model was given for a problem that has its own");
      return problem;
    }
  };

  /// Twin experiments; with(problem, choice, use) makes the method.
  template <class With>
  void add_experiments(Method& method, const With& with) {
    const auto experiment = [make = Chosen{make_}, with](const Choice& choice,
                                                         const TwinConfig& twin, bool believes) {
      const Problem problem = make(choice);
      std::pair<TwinScores, nlohmann::ordered_json> found;
      with(problem, choice, [&](const auto& analysis) {
        using Analysis = std::decay_t<decltype(analysis)>;
        if (believes && !Believes<Analysis>)
          throw ConfigError(
              "diagnose: the method does not say what it believes of its error, expected one with "
              "an ensemble, an EKF, or a network with a gain head of one level");
        Beliefs<Analysis> beliefs(believes);
        found.first = run_twin(problem, analysis, twin, beliefs);
        if (believes) found.second = beliefs.json();
      });
      return found;
    };
    method.score = [experiment](const Choice& choice, const TwinConfig& twin) {
      return experiment(choice, twin, false).first;
    };
    method.diagnose = [experiment](const Choice& choice, const TwinConfig& twin) {
      return experiment(choice, twin, true);
    };
  }
  /// Cycles one by one, and those of a file; with(problem, choice, runs, use) makes a method for so
  /// many runs.
  template <class With>
  void add_cycles(Method& method, const With& with) {
    method.cycler = [make = Chosen{make_}, with](const Choice& choice, std::size_t runs) {
      const Problem problem = make(choice);
      std::unique_ptr<Cycler> cycler;
      with(problem, choice, runs, [&](const auto& analysis) {
        using Analysis = std::decay_t<decltype(analysis)>;
        cycler = std::make_unique<CyclerOf<Problem, Analysis>>(problem, analysis, runs);
      });
      return cycler;
    };
    if constexpr (from_file)
      method.assimilate = [cycler = method.cycler](const Choice& choice, const Assimilation& task) {
        return assimilate<typename Problem::Geometry, Problem::channels>(*cycler(choice, 1), task);
      };
  }

  Make make_;
  ProblemEntry entry_{};
};

}  // namespace dan::app
