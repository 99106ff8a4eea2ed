// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <algorithm>
#include <cstddef>
#include <limits>
#include <type_traits>

#include "dan/core/at_time.hpp"
#include "dan/core/error.hpp"
#include "dan/core/memory.hpp"
#include "dan/core/notice.hpp"
#include "dan/core/simd.hpp"
#include "dan/geometry/concepts.hpp"

namespace dan {

/// A model that steps one state in plain double, as wrapped C or Fortran code does: `points`,
/// `channels`, and `step(const double* x, double* y) const` with y another array than x.
template <class M>
concept PlainModel = requires(const AnyTime<M> model, const double* x, double* y) {
  typename std::integral_constant<std::size_t, M::points>;    // static constexpr std::size_t points
  typename std::integral_constant<std::size_t, M::channels>;  // static constexpr … channels = 1
  model.step(x, y);
};

/// A model of plain double for every method that needs no derivative: each lane is stepped alone.
///
///     Problem<BlackBox<Mine>, ObserveAll<8>> problem;
///
/// `Mine::step` is called in the order of the lanes, but for lanes that equal the one before, as
/// those that fill a register do, whose result is copied; experiments on several threads call it
/// from all of them. A step that fails writes NaN or throws NumericalError, of which a `notice`
/// tells, and its state is no number then: an ensemble goes on with its other members. Other
/// exceptions pass. States of other precision are rounded to double and back. Cost: one step per
/// lane and a copy. It has no derivatives; a step that is a template on the scalar has them in
/// `Differentiated`.
template <PlainModel Mine>
struct BlackBox {
  using Geometry = geometry_of<Mine>;
  static constexpr std::size_t points = Mine::points, channels = Mine::channels;
  static constexpr std::size_t size = points * channels;

  Mine model{};

  /// y = M(x), lane by lane; y may be x. With the time, if `Mine` is told it.
  template <class T, class... Time>
  requires(sizeof(T) == lanes_of<T> * sizeof(real_t<T>) &&
           TimeOf<Mine, Time...>) void step(const T* x, T* y, Time... time) const {
    Scratch<double> in(size, Unset{}), out(size, Unset{});
    for (std::size_t l = 0; l < lanes_of<T>; ++l) {
      bool known = l > 0;
      for (std::size_t i = 0; i < size; ++i) {
        const auto number = static_cast<double>(lane_of(x[i], l));
        known = known && number == in[i];
        in[i] = number;
      }
      if (!known) step_one(in.data(), out.data(), time...);
      for (std::size_t i = 0; i < size; ++i) lane_of(y[i], l) = static_cast<real_t<T>>(out[i]);
    }
  }

 private:
  template <class... Time>
  void step_one(const double* x, double* y, Time... time) const {
    // What the model forgets to write is no number, instead of one of an earlier step.
    const auto forget = [&] { std::fill_n(y, size, std::numeric_limits<double>::quiet_NaN()); };
    forget();
    try {
      model.step(x, y, time...);
    } catch (const NumericalError& error) {
      notice(to_text("a model failed, and its state is no number: ", error.what()));
      forget();
    }
  }
};

}  // namespace dan
