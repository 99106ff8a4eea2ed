// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include "dan/autodiff/unroll.hpp"
#include "dan/core/processes.hpp"
#include "dan/core/simd.hpp"
#include "dan/network/convolution.hpp"
#include "dan/network/weights.hpp"
#include "dan/train/loss.hpp"
#include "dan/train/start.hpp"
#include "dan/train/teacher.hpp"

/// \file
/// What a `Trainer` may be given besides problem, network and lanes, in any order.

namespace dan {

/// A value of an enumeration as a part of a training: Choose<Keep::inputs>.
template <auto Value>
struct Choose {
  static constexpr auto value = Value;
};

namespace detail {

/// The first of the parts that is of a kind, else a default; Kind::template is<Part>.
template <class Kind, class Default, class... Parts>
struct Chosen {
  using type = Default;
};
template <class Kind, class Default, class First, class... Rest>
struct Chosen<Kind, Default, First, Rest...> : Chosen<Kind, Default, Rest...> {};
template <class Kind, class Default, class First, class... Rest>
requires(Kind::template is<First>) struct Chosen<Kind, Default, First, Rest...> {
  using type = First;
};

struct NumberKind {
  template <class Part>
  static constexpr bool is = std::floating_point<Part>;
};
template <class Enumeration>
struct ChoiceKind {
  template <class Part>
  static constexpr bool is = requires {
    requires std::same_as<std::remove_cv_t<decltype(Part::value)>, Enumeration>;
  };
};
struct ProcessesKind {
  template <class Part>
  static constexpr bool is = Processes<Part>;
};
template <class Problem, class Real, std::size_t Lanes>
struct TeacherKind {
  template <class Part>
  static constexpr bool is = std::same_as<Part, NoTeacher> ||
                             requires(const Part& teacher, const Problem& problem) {
    teacher.template filter<Real, Lanes>(problem);
  };
};
template <std::size_t Members, class T>
struct LossKind {
  template <class Part>
  static constexpr bool is = TrainingLoss<Part, Members, T>;
};

/// What the parts are, and what stands for those that are not there.
template <class Problem, class Network, std::size_t Lanes, class... Parts>
struct TrainingParts {
  using Real = typename Chosen<NumberKind, float, Parts...>::type;
  using TheTeacher = TeacherKind<Problem, Real, Lanes>;
  using TheLoss = LossKind<Network::members, lanes_t<Real, Lanes>>;

  using Teacher = typename Chosen<TheTeacher, NoTeacher, Parts...>::type;
  using Loss = typename Chosen<TheLoss, SupervisedLoss, Parts...>::type;
  using Ranks = typename Chosen<ProcessesKind, OneProcess, Parts...>::type;
  static constexpr Keep keep =
      Chosen<ChoiceKind<Keep>, Choose<Keep::everything>, Parts...>::type::value;
  static constexpr Kernels kernels =
      Chosen<ChoiceKind<Kernels>, Choose<Kernels::minimal>, Parts...>::type::value;

  template <class Kind>
  static constexpr std::size_t count = (std::size_t(Kind::template is<Parts>) + ... + 0);
  static_assert(((NumberKind::is<Parts> || TheTeacher::template is<Parts> ||
                  TheLoss::template is<Parts> || ProcessesKind::is<Parts> ||
                  ChoiceKind<Keep>::template is<Parts> ||
                  ChoiceKind<Kernels>::template is<Parts>)&&...),
                "Trainer: after the lanes may come, in any order, a teacher, which needs "
                "`filter<Real, Lanes>(problem)`, as EnsrfTeacher<64>; a loss, which needs `double "
                "add<Members>(states, truth, norm, weight, limit, d_states) const`, as "
                "SupervisedLoss; processes, as MpiRanks; float or double; Choose<Keep::inputs>; "
                "Choose<Kernels::direct>; one of yours is none of them");
  static_assert(count<NumberKind> < 2 && count<TheTeacher> < 2 && count<TheLoss> < 2 &&
                    count<ProcessesKind> < 2 && count<ChoiceKind<Keep>> < 2 &&
                    count<ChoiceKind<Kernels>> < 2,
                "Trainer: two of the parts after the lanes are of one kind, expected one teacher, "
                "one loss, one float or double, …");
};

/// The one of type T among what was given, else T().
template <class T, class... Given>
T given_or_default([[maybe_unused]] const std::tuple<const Given&...>& given) {
  if constexpr ((std::same_as<T, Given> || ...)) {
    return std::get<const T&>(given);
  } else {
    static_assert(std::default_initializable<T>,
                  "Trainer: a teacher, a loss or processes without a value by default have to be "
                  "given, after the configuration");
    return T();
  }
}

/// One problem, or several of one type; arguments become it.
template <class Problem>
struct ProblemList {
  std::vector<Problem> list;

  // NOLINTBEGIN(google-explicit-constructor)
  ProblemList(const Problem& problem) : list{problem} {}
  ProblemList(std::vector<Problem> problems) : list(std::move(problems)) {}
  // NOLINTEND(google-explicit-constructor)
};

/// Random weights for a network, or those of a trained one; arguments become it.
template <class Network, class Real>
class StartingWeights {
 public:
  // NOLINTBEGIN(google-explicit-constructor)
  StartingWeights(const Network& network) : start_(network), random_(true) {}
  StartingWeights(const Trained<Network, Real>& start) : start_(start) {}
  // NOLINTEND(google-explicit-constructor)

  [[nodiscard]] Trained<Network, Real> of(std::uint64_t seed) const {
    return random_ ? random_start<Real>(start_.network, seed) : start_;
  }

 private:
  Trained<Network, Real> start_;
  bool random_ = false;
};

}  // namespace detail

}  // namespace dan
