// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include "dan/app/cycler.hpp"
#include "dan/app/writable.hpp"
#include "dan/core/error.hpp"
#include "dan/core/notice.hpp"
#include "dan/experiment/twin.hpp"
#include "dan/io/csv.hpp"
#include "dan/observe/table.hpp"
#include "dan/train/config.hpp"

/// \file
/// What a program has compiled in, by name: problems, and the methods of each. Templates become
/// functions here, so that a command line, or another language, can choose among them.

namespace dan::app {

/// A number that a problem or a method takes.
struct Parameter {
  std::string name, about;
  double value = 0;             ///< unless it is given
  std::vector<double> tried{};  ///< by `tune`, unless it is told which; empty: not tuned
};

/// The numbers of all parameters, in their order.
using Values = std::span<const double>;

/// y = M(x) of one state, y another array than x.
using CallersModel = std::function<void(const double* x, double* y)>;

/// What is chosen: a problem's numbers, a method's, the weights of a learned one, and, for a
/// problem that takes one, the caller's model.
struct Choice {
  std::vector<double> problem{}, method{};
  std::filesystem::path weights{};
  CallersModel model{};
};

/// Observations of a file, assimilated cycle after cycle.
struct Assimilation {
  std::filesystem::path observations;  ///< where they are from, for messages
  CsvTable table;                      ///< see observations_of
  std::filesystem::path out;           ///< folder
  std::string problem{}, method{};  ///< as they were named: a run goes on with the same ones only
  CycleTimes times{};               ///< see cycle_times
  std::size_t cycles = 0;           ///< at most so many now; 0: to the last observation
  std::uint64_t seed = 1;
};

/// What an assimilation writes into its folder.
[[nodiscard]] inline std::array<std::filesystem::path, 4> files_of_assimilation(
    const std::filesystem::path& folder) {
  return {folder / "run.json", folder / "analyses.csv", folder / "assimilated.csv",
          folder / "state.safetensors"};
}

/// How a network is trained: changes of its recipe.
struct Training {
  std::size_t updates = 0;  ///< 0: as many as the recipe has
  std::uint64_t seed = 1;
  std::size_t threads = 0;
  bool finish = true;
  std::map<std::string, std::string> fields{};  ///< of TrainConfig, by name
  std::filesystem::path out{};                  ///< the weights; checkpoints stand beside them
  std::string command{};                        ///< for the metadata
};

/// What a training writes: the weights, and the checkpoints of its two parts (`train`).
[[nodiscard]] inline std::array<std::filesystem::path, 3> files_of_training(
    const std::filesystem::path& out) {
  auto first = out, second = out;
  return {out, first.replace_extension(".checkpoint"),
          second.replace_extension(".finish.checkpoint")};
}

/// The name of a training's checkpoints, `out` without its ending. Throws ConfigError where that is
/// not .safetensors, FileError where it cannot be written or is there without a checkpoint: weights
/// of another training.
[[nodiscard]] inline std::filesystem::path checkpoints_of(const Training& training) {
  const auto& out = training.out;
  if (out.extension() != ".safetensors")
    throw ConfigError(
        to_text("train: out is ", out.string(), ", expected a name that ends in .safetensors"));
  require_writable_file("train: out", out);
  if (const auto first = files_of_training(out)[1];
      std::filesystem::exists(out) && !std::filesystem::exists(first))
    throw FileError(to_text("train: ", out.string(), " is there without ", first.string(),
                            ", so it is of another training; take another out"));
  auto name = out;
  return name.replace_extension();
}

/// A method of a problem. A function that is empty is not for this one.
struct Method {
  std::string name, about;
  std::vector<Parameter> parameters{};
  std::size_t weights = 0;  ///< how many a learned one has, else none
  std::function<TwinScores(const Choice&, const TwinConfig&)> score{};
  /// The scores, and how well what the method believes of its error fits the truth: Beliefs::json.
  std::function<std::pair<TwinScores, nlohmann::ordered_json>(const Choice&, const TwinConfig&)>
      diagnose{};
  std::function<nlohmann::ordered_json(const Choice&, const Assimilation&)> assimilate{};
  std::function<TrainReport(const Choice&, const Training&)> train{};
  /// For so many runs side by side.
  std::function<std::unique_ptr<Cycler>(const Choice&, std::size_t)> cycler{};
};

/// A problem and the methods that can solve it.
struct ProblemEntry {
  std::string name, about;
  std::vector<Parameter> parameters{};
  std::vector<Method> methods{};
  std::size_t points = 0, channels = 0;  ///< of a state
  /// The time from analysis to analysis: a forecast of the model. Empty where nobody said.
  std::function<double(Values)> interval{};
  /// Writes observations.csv and truth.npy of a twin experiment: problem, cycles, seed, folder.
  std::function<void(Values, std::size_t, std::uint64_t, const std::filesystem::path&)> make{};
};

/// When the observations of a file are analysed: `interval` apart, by default the problem's own. A
/// `notice` says where they differ, ConfigError where neither is known.
inline CycleTimes cycle_times(const ProblemEntry& problem, const Choice& choice, double start,
                              std::optional<double> interval) {
  if (!problem.interval) {
    if (!interval)
      throw ConfigError(to_text("interval: ", problem.name,
                                " does not say how long its forecasts are, expected a number"));
    return {.start = start, .interval = *interval};
  }
  const double own = problem.interval(choice.problem);
  if (std::abs(interval.value_or(own) - own) > 1e-9 * own)
    notice(to_text("interval is ", *interval, ", but a forecast of ", problem.name, " is ", own,
                   " long, which is right only for a table in other units of time"));
  return {.start = start, .interval = interval.value_or(own)};
}

/// `name:parameter=value,…`, as problems and methods are named on a command line.
struct Name {
  std::string name;
  std::map<std::string, std::string> given{};

  /// Throws ConfigError for a part that is not of this form, or given twice.
  static Name parse(const std::string& text) {
    const auto fail = [&](const std::string& what) {
      throw ConfigError(to_text("'", text, "': ", what,
                                ", expected NAME or NAME:PARAMETER=VALUE,PARAMETER=VALUE"));
    };
    Name name{text.substr(0, text.find(':'))};
    if (name.name.empty()) fail("there is no name");
    if (name.name.size() == text.size()) return name;
    for (std::size_t from = name.name.size() + 1, end = 0; from <= text.size(); from = end + 1) {
      end = std::min(text.find(',', from), text.size());
      const std::string part = text.substr(from, end - from);
      const auto at = part.find('=');
      if (at == std::string::npos || at == 0 || at + 1 == part.size())
        fail(to_text("'", part, "' is no PARAMETER=VALUE"));
      if (!name.given.emplace(part.substr(0, at), part.substr(at + 1)).second)
        fail(to_text(part.substr(0, at), " is there twice"));
    }
    return name;
  }
};

namespace detail {
/// The names of a list, for messages.
template <class List>
std::string names_of(const List& list) {
  const auto names = joined(list, ", ", [](const auto& one) { return one.name; });
  return names.empty() ? "none" : names;
}

/// The one of this name; throws ConfigError.
template <class List>
auto& named(const List& list, const std::string& name, std::string_view kind) {
  const auto at = std::ranges::find(list, name, [](const auto& one) { return one.name; });
  if (at == list.end())
    throw ConfigError(
        to_text("there is no ", kind, " '", name, "', expected one of: ", names_of(list)));
  return *at;
}

/// The whole of a text as a finite number, with a decimal point; throws ConfigError.
inline double number_of(const std::string& what, const std::string& text) {
  double value = 0;
  const char* const end = text.data() + text.size();
  const auto [stopped, error] = std::from_chars(text.data(), end, value);
  if (error != std::errc() || stopped != end || !std::isfinite(value))
    throw ConfigError(to_text(what, " is '", text, "', expected a finite number"));
  return value;
}
/// The shortest text that `number_of` reads as this number.
inline std::string text_of_number(double value) {
  std::array<char, 32> text;
  return {text.data(), std::to_chars(text.data(), text.data() + text.size(), value).ptr};
}

/// The numbers of parameters, those that are given instead of their defaults; throws ConfigError.
inline std::vector<double> numbers(const std::string& of, const std::vector<Parameter>& parameters,
                                   const std::map<std::string, std::string>& given) {
  std::vector<double> values;
  for (const auto& p : parameters) {
    const auto at = given.find(p.name);
    values.push_back(at == given.end() ? p.value : number_of(of + ": " + p.name, at->second));
  }
  for (const auto& [name, value] : given)
    if (std::ranges::find(parameters, name, &Parameter::name) == parameters.end())
      throw ConfigError(
          to_text(of, " has no parameter '", name, "', expected one of: ", names_of(parameters)));
  return values;
}
}  // namespace detail

/// A problem and a method that were named, with their numbers.
struct Chosen {
  const ProblemEntry& problem;
  const Method& method;
  Choice choice;
};

/// All that a program has compiled in.
class Menu {
 public:
  /// Adds a problem; throws ConfigError for a name that is there.
  void add(ProblemEntry problem) {
    for (const auto& known : problems_)
      if (known.name == problem.name)
        throw ConfigError(to_text("Menu::add: there are two problems '", problem.name, "'"));
    problems_.push_back(std::move(problem));
  }

  [[nodiscard]] const std::vector<ProblemEntry>& problems() const { return problems_; }
  [[nodiscard]] const ProblemEntry& problem(const Name& name) const {
    const auto called = [&](const auto& entry) { return entry.name == name.name; };
    if (!std::ranges::any_of(problems_, called))
      for (const ProblemEntry& entry : problems_)
        if (std::ranges::any_of(entry.methods, called))
          throw ConfigError(to_text(
              "there is no problem '", name.name,
              "', which is a method; a problem stands before it: ", entry.name, " ", name.name));
    return detail::named(problems_, name.name, "problem");
  }

  /// Finds both; a method's `weights=FILE` is no number and goes to the choice. Throws ConfigError,
  /// naming what there is.
  [[nodiscard]] Chosen choose(const std::string& problem, const std::string& method) const {
    const Name of = Name::parse(problem);
    Name by = Name::parse(method);
    const ProblemEntry& entry = this->problem(of);
    const Method& found = detail::named(entry.methods, by.name, to_text("method of ", entry.name));
    Choice choice;
    if (const auto file = by.given.extract("weights")) {
      if (found.weights == 0)
        throw ConfigError(to_text(by.name, " takes no weights; only a learned method does"));
      choice.weights = file.mapped();
    }
    choice.problem = detail::numbers(entry.name, entry.parameters, of.given);
    choice.method = detail::numbers(found.name, found.parameters, by.given);
    return {entry, found, choice};
  }

 private:
  std::vector<ProblemEntry> problems_;
};

}  // namespace dan::app
